/**
 * UUIDs as v1 holds them: two 64-bit integers, each made of eight of the bytes in printed order,
 * lowest first.
 *
 *     b3015d69-09cd-476d-aace-ad2d824d5ab7
 *     └──── low, little-endian ┘ └ high, little-endian
 *
 * As on the wire that order is what a UUID's bytes have anyway, only the varints want words.
 */

const TEXT_BYTES = 36;
const DASH = 0x2d;

/** Where the printed bytes begin; between them stand dashes. */
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

const HEX = Buffer.from('0123456789abcdef');

/** The value of each hexadecimal digit; -1 for every other byte. */
const DIGITS: Int8Array = digits();

export class Uuid {
  lowLow = 0;
  lowHigh = 0;
  highLow = 0;
  highHigh = 0;
  readonly #bytes = new Uint8Array(16);
  readonly #view = new DataView(this.#bytes.buffer);

  get isZero(): boolean {
    return (this.lowLow | this.lowHigh | this.highLow | this.highHigh) === 0;
  }

  /**
   * Reads the text bytes[start, end). Like the original, it wants 36 characters with hexadecimal
   * digits where a UUID has them, and doesn't look at what stands where the dashes are.
   */
  parse(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start !== TEXT_BYTES) return false;
    for (let index = 0; index < 16; index += 1) {
      const at = start + (PLACES[index] as number);
      const upper = DIGITS[bytes[at] as number] as number;
      const lower = DIGITS[bytes[at + 1] as number] as number;
      if (upper < 0 || lower < 0) return false;
      this.#bytes[index] = (upper << 4) | lower;
    }
    this.lowLow = this.#view.getUint32(0, true);
    this.lowHigh = this.#view.getUint32(4, true);
    this.highLow = this.#view.getUint32(8, true);
    this.highHigh = this.#view.getUint32(12, true);
    return true;
  }

  /** Takes the words of an events.UUID, whose fields are `low` and `high`. */
  from({ low, high }: { low: Uint32Array; high: Uint32Array }): this {
    this.lowLow = low[1] ?? 0;
    this.lowHigh = high[1] ?? 0;
    this.highLow = low[2] ?? 0;
    this.highHigh = high[2] ?? 0;
    return this;
  }

  /** Writes the canonical text, 36 bytes, and returns the offset behind it. */
  write(out: Uint8Array, at: number): number {
    this.#view.setUint32(0, this.lowLow, true);
    this.#view.setUint32(4, this.lowHigh, true);
    this.#view.setUint32(8, this.highLow, true);
    this.#view.setUint32(12, this.highHigh, true);
    out.fill(DASH, at, at + TEXT_BYTES);
    for (let index = 0; index < 16; index += 1) {
      const place = at + (PLACES[index] as number);
      const byte = this.#bytes[index] as number;
      out[place] = HEX[byte >>> 4] as number;
      out[place + 1] = HEX[byte & 15] as number;
    }
    return at + TEXT_BYTES;
  }
}

function digits(): Int8Array {
  const table = new Int8Array(256).fill(-1);
  for (const [value, digit] of HEX.entries()) {
    table[digit] = value;
    table[String.fromCharCode(digit).toUpperCase().charCodeAt(0)] = value;
  }
  return table;
}
