/** Functions of one number, and of the time that a number is. */

/** Of a value and what other arguments are at its step; undefined: nothing is there. */
export type NumberFunction = (value: number, a: number, b: number) => number | undefined;

export const NUMBER_FUNCTIONS: Readonly<Record<string, NumberFunction>> = {
  abs: Math.abs,
  acos: Math.acos,
  acosh: Math.acosh,
  asin: Math.asin,
  asinh: Math.asinh,
  atan: Math.atan,
  atanh: Math.atanh,
  ceil: Math.ceil,
  cos: Math.cos,
  cosh: Math.cosh,
  deg: (value) => (value * 180) / Math.PI,
  exp: Math.exp,
  floor: Math.floor,
  ln: Math.log,
  log10: Math.log10,
  log2: Math.log2,
  rad: (value) => (value * Math.PI) / 180,
  sgn: (value) => (value === 0 ? value : Math.sign(value)),
  sin: Math.sin,
  sinh: Math.sinh,
  sqrt: Math.sqrt,
  tan: Math.tan,
  tanh: Math.tanh,
  clamp: (value, min, max) => (max < min ? undefined : Math.max(min, Math.min(max, value))),
  clamp_max: (value, max) => Math.min(max, value),
  clamp_min: (value, min) => Math.max(min, value),
  // The inverse keeps what is to be rounded to exact where it is 0.1 or so.
  round: (value, toNearest) => Math.floor(value * (1 / toNearest) + 0.5) / (1 / toNearest),
};

/** Of a time in seconds since 1970, in UTC. */
export const DATE_FUNCTIONS: Readonly<Record<string, (date: Date) => number>> = {
  minute: (date) => date.getUTCMinutes(),
  hour: (date) => date.getUTCHours(),
  day_of_week: (date) => date.getUTCDay(),
  day_of_month: (date) => date.getUTCDate(),
  day_of_year: (date) =>
    Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / DAY_MS) + 1,
  days_in_month: (date) =>
    new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate(),
  month: (date) => date.getUTCMonth() + 1,
  year: (date) => date.getUTCFullYear(),
};

const DAY_MS = 86_400_000;

export function dateOf(seconds: number): Date {
  return new Date(Math.trunc(seconds) * 1000);
}

/** What an arithmetic or comparing operator makes of two numbers; a comparison is 1 or 0. */
export const OPERATORS: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
  '^': power,
  atan2: Math.atan2,
  '==': (a, b) => (a === b ? 1 : 0),
  '!=': (a, b) => (a !== b ? 1 : 0),
  '<': (a, b) => (a < b ? 1 : 0),
  '>': (a, b) => (a > b ? 1 : 0),
  '<=': (a, b) => (a <= b ? 1 : 0),
  '>=': (a, b) => (a >= b ? 1 : 0),
};

/** As IEEE 754 has it, which JavaScript doesn't where the base is 1 or -1. */
function power(base: number, exponent: number): number {
  if (base === 1) return 1;
  if (
    base === -1 &&
    (exponent === Number.POSITIVE_INFINITY || exponent === Number.NEGATIVE_INFINITY)
  ) {
    return 1;
  }
  return base ** exponent;
}
