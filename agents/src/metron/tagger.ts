/**
 * Gives an envelope what it lacks: the agent's tags, its deprecated tags as preferred ones, and a
 * source id.
 *
 *     plain       [ envelope as it came ][ the agent's tags, encoded once ]
 *     otherwise   an edit: deprecated tags are copied over preferred ones of the same name and stay
 *                 besides, an empty source id becomes the tag `origin`
 *
 * The rules are those of loggregator-agent-release v8.3.9. Nothing is lost here.
 *
 * Hot: `suffixOf` looks at every envelope and finds nearly all of them plain. It allocates only the
 * first time that it meets a combination of missing tags. Envelopes with deprecated tags come from
 * old clients, and cost strings.
 */

import {
  type Batch,
  type EnvelopeEdit,
  encodeTag,
  hashBytes,
  TagKeys,
  TagReader,
  ValueMember,
  ValueParts,
} from '@standpipe/protos';
import { DeprecatedTags } from './deprecated-tags.ts';

/** Combinations of missing tags that are remembered; others are put together each time. */
const SUFFIXES_MAX = 1024;
const ORIGIN = Buffer.from('origin');

export class Tagger {
  /** Whether the envelope that `suffixOf` looked at last needs `rewrite`. */
  needsRewrite = false;

  readonly #keys: TagKeys;
  /** By their names' bytes, as Latin-1. */
  readonly #indexes: ReadonlyMap<string, number>;
  readonly #encoded: readonly Buffer[];
  readonly #suffixes = new Map<number, Buffer>();
  readonly #whole: Buffer;
  readonly #tags = new TagReader();
  readonly #deprecated = new DeprecatedTags();

  constructor(tags: ReadonlyMap<string, string>) {
    const names = [...tags.keys()];
    this.#keys = new TagKeys(names);
    this.#indexes = new Map(
      names.map((name, index) => [Buffer.from(name).toString('latin1'), index]),
    );
    this.#encoded = [...tags].map(([key, value]) => encodeTag(key, value));
    this.#whole = Buffer.concat(this.#encoded);
  }

  /** The tags, encoded, that this envelope lacks; and whether that is not all that it lacks. */
  suffixOf(batch: Batch, index: number): Buffer {
    const present = this.#keys.find(
      batch.bytes,
      batch.start[index] as number,
      batch.end[index] as number,
    );
    this.needsRewrite = this.#keys.hasDeprecated;
    return this.#missing(present);
  }

  /** Writes this envelope with its deprecated tags among the preferred, and the agent's tags. */
  rewrite(batch: Batch, index: number, edit: EnvelopeEdit): void {
    const { bytes } = batch;
    const start = batch.start[index] as number;
    const end = batch.end[index] as number;
    edit.over(bytes, start, end);
    this.#deprecated.read(bytes, start, end);
    for (const tags = this.#tags.over(bytes, start, end); tags.next(); ) {
      if (tags.isDeprecated) continue;
      const key = bytes.toString('latin1', tags.keyStart, tags.keyEnd);
      if (this.#deprecated.has(key)) edit.cut(tags.fieldStart, tags.fieldEnd);
    }
    let present = this.#keys.find(bytes, start, end);
    for (const key of this.#deprecated.appendTo(edit)) {
      const tag = this.#indexes.get(key);
      if (tag !== undefined) present |= 1 << tag;
    }
    edit.append(this.#missing(present));
  }

  #missing(present: number): Buffer {
    if (present === 0) return this.#whole;
    const known = this.#suffixes.get(present);
    if (known) return known;
    const suffix = Buffer.concat(this.#encoded.filter((_, index) => !(present & (1 << index))));
    if (this.#suffixes.size < SUFFIXES_MAX) this.#suffixes.set(present, suffix);
    return suffix;
  }
}

/** Finds what an envelope without a source id gets for one: its origin. */
export class OriginReader {
  /** The origin is bytes[start, end) of what was read; `hash` is its hashBytes. */
  start = 0;
  end = 0;
  hash = 0;

  readonly #tags = new TagReader();
  readonly #value = new ValueParts();

  /** Whether the envelope bytes[start, end) has an origin, be it empty. Preferred tags go first. */
  over(bytes: Uint8Array, start: number, end: number): boolean {
    let isPreferred = false;
    let isFound = false;
    for (const tags = this.#tags.over(bytes, start, end); tags.next(); ) {
      if (!isOrigin(bytes, tags.keyStart, tags.keyEnd)) continue;
      if (tags.isDeprecated && isPreferred) continue;
      isFound = true;
      isPreferred ||= !tags.isDeprecated;
      this.start = tags.valueStart;
      this.end = tags.valueEnd;
      if (tags.isDeprecated) this.#readText(bytes);
    }
    if (isFound) this.hash = hashBytes(bytes, this.start, this.end);
    return isFound;
  }

  /** A Value's text; a number has none. */
  #readText(bytes: Uint8Array): void {
    const value = this.#value.read(bytes, this.start, this.end);
    const isText = value.member === ValueMember.text;
    this.start = isText ? value.textStart : 0;
    this.end = isText ? value.textEnd : 0;
  }
}

function isOrigin(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== ORIGIN.length) return false;
  for (let index = 0; index < ORIGIN.length; index += 1) {
    if (bytes[start + index] !== ORIGIN[index]) return false;
  }
  return true;
}
