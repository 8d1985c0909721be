/**
 * Floats as Go's strconv.ParseFloat reads them: decimal, or hexadecimal with a binary exponent, with
 * underscores between digits, and words for what is no finite number.
 *
 *     -1.5e3   0x1.8p1 = 3   1_000   +Inf   infinity   NaN
 */

const DECIMAL = /^[+-]?(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:e[+-]?\d[\d_]*)?$/i;
const HEXADECIMAL = /^([+-]?)0x([\da-f_]*)(?:\.([\da-f_]*))?p([+-]?\d[\d_]*)$/i;
const INFINITE = /^[+-]?inf(?:inity)?$/i;
/** One that does not stand between two digits, or a hexadecimal prefix and a digit. */
const STRAY = /(?<!\d)_|_(?!\d)/;
const STRAY_IN_HEXADECIMAL = /(?<![\da-fx])_|_(?![\da-f])/i;

/** The number that a text is; undefined for what is none, or is too large for a double. */
export function parseFloatText(text: string): number | undefined {
  if (INFINITE.test(text)) {
    return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  if (text.toLowerCase() === 'nan') return Number.NaN;
  const number = DECIMAL.test(text) ? decimal(text) : hexadecimal(text);
  return number !== undefined && Number.isFinite(number) ? number : undefined;
}

function decimal(text: string): number | undefined {
  if (!text.includes('_')) return Number(text);
  return STRAY.test(text) ? undefined : Number(text.replaceAll('_', ''));
}

function hexadecimal(text: string): number | undefined {
  const match = HEXADECIMAL.exec(text);
  if (match === null || STRAY_IN_HEXADECIMAL.test(text)) return undefined;
  const [, sign, whole = '', fraction = '', power = ''] = match.map((part) =>
    (part ?? '').replaceAll('_', ''),
  );
  if (whole === '' && fraction === '') return undefined;
  const mantissa = Number(BigInt(`0x${whole}${fraction}`)); // Rounded to the nearest, as Go does.
  const exponent = Number(power) - 4 * fraction.length;
  // In two steps, since a power alone may be too large or small where the product is not.
  const half = Math.trunc(exponent / 2);
  const magnitude = mantissa === 0 ? 0 : mantissa * 2 ** half * 2 ** (exponent - half);
  return sign === '-' ? -magnitude : magnitude;
}
