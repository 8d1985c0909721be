/**
 * Walks the fields of one message in bytes that a scan has accepted, without allocating.
 *
 *     const fields = new FieldReader();
 *     for (fields.over(bytes, start, end); fields.next(); ) {
 *       if (fields.field === 9) … bytes[fields.start, fields.end) …
 *     }
 *
 * A reader is made once and used again; a nested message needs a reader of its own. It never
 * reads past `end`: bytes that no scan has seen may end the walk early but do no harm.
 */

export class FieldReader {
  /** The field's number, and how its value is laid out: 0 varint, 1 64 bits, 2 bytes, 5 32 bits. */
  field = 0;
  wireType = 0;
  /** Where the field's tag stands. */
  tagStart = 0;
  /** The value's bytes, without its length. */
  start = 0;
  end = 0;
  /** A varint's or fixed value's words, both unsigned. */
  low = 0;
  high = 0;

  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #limit = 0;

  /** Begins to walk the message bytes[start, end). */
  over(bytes: Uint8Array, start: number, end: number): this {
    this.#bytes = bytes;
    this.#at = start;
    this.#limit = Math.min(end, bytes.length);
    return this;
  }

  /** Steps to the next field; false when there is none. Groups are passed over. */
  next(): boolean {
    while (this.#at < this.#limit) {
      this.tagStart = this.#at;
      this.#varint();
      this.field = this.low >>> 3;
      this.wireType = this.low & 7;
      this.start = this.#at;
      if (this.wireType === 3) this.#group();
      else return this.#value();
    }
    return false;
  }

  /** Reads the value whose tag was just read; false when there is no such wire type. */
  #value(): boolean {
    switch (this.wireType) {
      case 0:
        this.#varint();
        break;
      case 1:
        this.#fixed(8);
        break;
      case 2:
        this.#varint();
        this.start = this.#at;
        this.#at = Math.min(this.#at + this.low, this.#limit);
        break;
      case 5:
        this.#fixed(4);
        break;
      default:
        return false;
    }
    this.end = this.#at;
    return true;
  }

  #varint(): void {
    const bytes = this.#bytes;
    let low = 0;
    let high = 0;
    let shift = 0;
    while (this.#at < this.#limit) {
      const byte = bytes[this.#at++] as number; // Within the limit, which is within the bytes.
      if (shift < 28) low |= (byte & 0x7f) << shift;
      else if (shift === 28) {
        low |= (byte & 0x0f) << 28;
        high = (byte & 0x7f) >>> 4;
      } else if (shift < 64) high |= (byte & 0x7f) << (shift - 32);
      shift += 7;
      if (byte < 0x80) break;
    }
    this.low = low >>> 0;
    this.high = high >>> 0;
  }

  #fixed(size: 4 | 8): void {
    this.low = this.#word(this.#at);
    this.high = size === 8 ? this.#word(this.#at + 4) : 0;
    this.#at = Math.min(this.#at + size, this.#limit);
  }

  #word(at: number): number {
    const bytes = this.#bytes;
    return (
      ((bytes[at] ?? 0) |
        ((bytes[at + 1] ?? 0) << 8) |
        ((bytes[at + 2] ?? 0) << 16) |
        ((bytes[at + 3] ?? 0) << 24)) >>>
      0
    );
  }

  /** Passes over a group: nobody we know sends one, but a scan accepts them. */
  #group(): void {
    let depth = 1;
    while (depth > 0 && this.#at < this.#limit) {
      this.#varint();
      const wireType = this.low & 7;
      if (wireType === 3) depth += 1;
      else if (wireType === 4) depth -= 1;
      else if (wireType === 0) this.#varint();
      else if (wireType === 1) this.#at += 8;
      else if (wireType === 5) this.#at += 4;
      else {
        this.#varint();
        this.#at += this.low;
      }
    }
  }
}
