/**
 * Keeps envelopes by their tags: `tag=KEY:VALUE` of a read.
 *
 * An envelope passes that has each of the tags with exactly its value. A tag among the deprecated
 * ones counts when there is no other of its name, and only if its value is text, as it always is.
 * At most TAGS_MAX can be asked for, for each costs a walk over an envelope's tags.
 *
 * Hot: called for each envelope that the other filters let pass; nothing is allocated.
 */

import { FieldReader, TagReader } from '@standpipe/protos';

const TAGS_MAX = 32;

/** A tag that is not KEY:VALUE, or is one too many. */
export class TagError extends Error {
  override readonly name = 'TagError';
}

interface Tag {
  readonly key: Buffer;
  readonly value: Buffer;
}

export class TagFilter {
  readonly #wanted: readonly Tag[];
  readonly #tags = new TagReader();
  readonly #value = new FieldReader();

  /** From texts `KEY:VALUE`; the key ends at the first colon. */
  constructor(texts: readonly string[]) {
    if (texts.length > TAGS_MAX) {
      throw new TagError(
        `${texts.length} tags are more than the ${TAGS_MAX} that can be asked for`,
      );
    }
    this.#wanted = texts.map(tagOf);
  }

  /** Whether the envelope bytes[start, end) has every tag. */
  passes(bytes: Uint8Array, start: number, end: number): boolean {
    for (const tag of this.#wanted) if (!this.#has(tag, bytes, start, end)) return false;
    return true;
  }

  #has({ key, value }: Tag, bytes: Uint8Array, start: number, end: number): boolean {
    const tags = this.#tags.over(bytes, start, end);
    let isEqual = false;
    let isPreferred = false;
    while (tags.next()) {
      if (!isSame(key, bytes, tags.keyStart, tags.keyEnd)) continue;
      if (tags.isDeprecated) {
        if (!isPreferred) isEqual = this.#isText(value, bytes, tags.valueStart, tags.valueEnd);
      } else {
        // Of a tag that is there twice, the last counts.
        isPreferred = true;
        isEqual = isSame(value, bytes, tags.valueStart, tags.valueEnd);
      }
    }
    return isEqual;
  }

  /** Whether a deprecated tag's Value message is this text. */
  #isText(value: Buffer, bytes: Uint8Array, start: number, end: number): boolean {
    let isEqual = false;
    const fields = this.#value.over(bytes, start, end);
    while (fields.next()) {
      isEqual =
        fields.field === 1 &&
        fields.wireType === 2 &&
        isSame(value, bytes, fields.start, fields.end);
    }
    return isEqual;
  }
}

function tagOf(text: string): Tag {
  const colon = text.indexOf(':');
  if (colon < 0) throw new TagError(`${JSON.stringify(text)} is not KEY:VALUE`);
  return { key: Buffer.from(text.slice(0, colon)), value: Buffer.from(text.slice(colon + 1)) };
}

function isSame(wanted: Buffer, bytes: Uint8Array, start: number, end: number): boolean {
  const length = wanted.length;
  if (end - start !== length) return false;
  for (let at = 0; at < length; at += 1) if (wanted[at] !== bytes[start + at]) return false;
  return true;
}
