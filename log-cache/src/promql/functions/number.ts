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
  clamp: (value, min, max) => (max < min ? undefined : greater(min, lesser(max, value))),
  clamp_max: (value, max) => lesser(max, value),
  clamp_min: (value, min) => greater(min, value),
  // The inverse keeps what is to be rounded to exact where it is 0.1 or so.
  round: (value, toNearest) => Math.floor(value * (1 / toNearest) + 0.5) / (1 / toNearest),
};

/** As Go has it: nothing is less than -Inf, be it beside NaN. */
function lesser(a: number, b: number): number {
  const isLeast = a === Number.NEGATIVE_INFINITY || b === Number.NEGATIVE_INFINITY;
  return isLeast ? Number.NEGATIVE_INFINITY : Math.min(a, b);
}

function greater(a: number, b: number): number {
  return -lesser(-a, -b);
}

/** The calendar begins anew after 400 years. */
const ERA_SECONDS = 12_622_780_800;
const ERA_YEARS = 400;
const DAY_MS = 86_400_000;

const CALENDAR: Readonly<Record<string, (date: Date) => number>> = {
  minute: (date) => date.getUTCMinutes(),
  hour: (date) => date.getUTCHours(),
  day_of_week: (date) => date.getUTCDay(),
  day_of_month: (date) => date.getUTCDate(),
  day_of_year: (date) =>
    Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / DAY_MS) + 1,
  days_in_month: (date) =>
    new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate(),
  month: (date) => date.getUTCMonth() + 1,
};

/** Of a time in seconds since 1970, in UTC; NaN of what is none, or more than 64 bits can tell. */
export const DATE_FUNCTIONS: Readonly<Record<string, (seconds: number) => number>> = {
  ...Object.fromEntries(
    Object.entries(CALENDAR).map(([name, of]) => [name, (seconds: number) => of(dateOf(seconds))]),
  ),
  year: (seconds) => dateOf(seconds).getUTCFullYear() + eraOf(seconds) * ERA_YEARS,
};

/** The same day in the era of 1970, since no Date is later than 275760. */
function dateOf(seconds: number): Date {
  if (!(Math.abs(seconds) < 2 ** 63)) return new Date(Number.NaN);
  return new Date(withinEra(seconds) * 1000);
}

function withinEra(seconds: number): number {
  const rest = Math.trunc(seconds) % ERA_SECONDS;
  return rest < 0 ? rest + ERA_SECONDS : rest;
}

function eraOf(seconds: number): number {
  return Math.round((Math.trunc(seconds) - withinEra(seconds)) / ERA_SECONDS);
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
