/**
 * The deprecated tags of one envelope, as the preferred ones that they become.
 *
 * A text stays as it is; an integer is written in base 10, a decimal plainly; what has no value has
 * no text. Of two tags with one name the last counts. Names are looked up by their bytes, read as
 * Latin-1: that is cheaper than UTF-8, and as distinct.
 */

import { type EnvelopeEdit, FieldReader, joinTime, TagReader } from '@standpipe/protos';
import { plainDecimal } from './plain-decimal.ts';

interface Tag {
  keyStart: number;
  keyEnd: number;
  /** The text is values[start, end). */
  values: Buffer;
  start: number;
  end: number;
}

export class DeprecatedTags {
  readonly #tags = new TagReader();
  readonly #value = new FieldReader();
  readonly #found = new Map<string, Tag>();
  #bytes: Buffer = Buffer.alloc(0);

  /** Reads the envelope bytes[start, end). */
  read(bytes: Buffer, start: number, end: number): void {
    this.#bytes = bytes;
    this.#found.clear();
    for (const tags = this.#tags.over(bytes, start, end); tags.next(); ) {
      if (!tags.isDeprecated) continue;
      const { keyStart, keyEnd } = tags;
      const tag: Tag = { keyStart, keyEnd, values: bytes, start: 0, end: 0 };
      this.#readText(tags.valueStart, tags.valueEnd, tag);
      this.#found.set(bytes.toString('latin1', keyStart, keyEnd), tag);
    }
  }

  has(key: string): boolean {
    return this.#found.has(key);
  }

  /** Appends all as preferred tags, and returns their names. */
  appendTo(edit: EnvelopeEdit): Iterable<string> {
    for (const { keyStart, keyEnd, values, start, end } of this.#found.values()) {
      edit.appendTagSlices(this.#bytes, keyStart, keyEnd, values, start, end);
    }
    return this.#found.keys();
  }

  /** Reads a Value message; of several parts the last counts. */
  #readText(start: number, end: number, into: Tag): void {
    for (const value = this.#value.over(this.#bytes, start, end); value.next(); ) {
      const { field, wireType } = value;
      if (field === 1 && wireType === 2) {
        into.values = this.#bytes;
        into.start = value.start;
        into.end = value.end;
      } else if (field === 2 && wireType === 0) {
        setText(into, String(joinTime(value.high, value.low)));
      } else if (field === 3 && wireType === 1) {
        setText(into, plainDecimal(this.#bytes.readDoubleLE(value.start)));
      }
    }
  }
}

function setText(tag: Tag, text: string): void {
  tag.values = Buffer.from(text);
  tag.start = 0;
  tag.end = tag.values.length;
}
