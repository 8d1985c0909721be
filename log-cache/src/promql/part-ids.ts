/** What was made of a slice of bytes, once for each different slice: a name's verdict, a tag's number. */

import { ByteMap, hashBytes } from '@standpipe/protos';
import { failed } from './errors.ts';

/** A query that meets more different tags than this selects too much to be answered. */
const PARTS_MAX = 200_000;

export class PartIds<T> {
  readonly #known = new ByteMap<T>();
  #last: { readonly bytes: Uint8Array; readonly value: T } | undefined;

  /** The same, where one slice most often follows its like: a look at the last one comes first. */
  again(bytes: Uint8Array, start: number, end: number, make: (start: number, end: number) => T): T {
    const last = this.#last;
    if (last !== undefined && isSame(bytes, start, end, last.bytes)) return last.value;
    const value = this.of(bytes, start, end, make);
    this.#last = { bytes: bytes.slice(start, end), value };
    return value;
  }

  of(bytes: Uint8Array, start: number, end: number, make: (start: number, end: number) => T): T {
    const hash = hashBytes(bytes, start, end);
    const known = this.#known.get(bytes, start, end, hash);
    if (known !== undefined) return known;
    if (this.#known.size >= PARTS_MAX) throw tooMany();
    const made = make(start, end);
    this.#known.set(bytes, start, end, hash, made);
    return made;
  }
}

function isSame(bytes: Uint8Array, start: number, end: number, other: Uint8Array): boolean {
  const { length } = other;
  if (end - start !== length) return false;
  for (let index = 0; index < length; index += 1) {
    if (bytes[start + index] !== other[index]) return false;
  }
  return true;
}

export function tooMany(): Error {
  return failed('the query selects too many different series: name a source_id or other labels');
}

export function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
}
