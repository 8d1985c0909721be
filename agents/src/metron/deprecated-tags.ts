/**
 * The deprecated tags of one envelope, as the preferred ones that they become.
 *
 * A text stays as it is; an integer is written in base 10, a decimal plainly; what has no value has
 * no text. Of two tags with one name the last counts. Names are looked up by their bytes, read as
 * Latin-1: that is cheaper than UTF-8, and as distinct.
 */

import { type EnvelopeEdit, joinTime, TagReader, ValueMember, ValueParts } from '@standpipe/protos';
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
  readonly #value = new ValueParts();
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

  #readText(start: number, end: number, into: Tag): void {
    const value = this.#value.read(this.#bytes, start, end);
    if (value.member === ValueMember.text) {
      into.start = value.textStart;
      into.end = value.textEnd;
    } else if (value.member === ValueMember.integer) {
      setText(into, String(joinTime(value.integerHigh, value.integerLow)));
    } else if (value.member === ValueMember.decimal) {
      setText(into, plainDecimal(value.decimal));
    }
  }
}

function setText(tag: Tag, text: string): void {
  tag.values = Buffer.from(text);
  tag.start = 0;
  tag.end = tag.values.length;
}
