/**
 * Keeps logs by what they say: `contains` and `matches` of a read.
 *
 * `contains` is text that stands somewhere in a log's payload, byte for byte; `matches` an RE2
 * expression that is found somewhere in it. Only logs have a payload, so nothing else passes.
 *
 * Hot: called for each log that a search comes to. A literal costs next to nothing where it is not
 * (literal-search.ts); an expression a look for its words (required-words.ts), and a match of the
 * payload where they are, or where it has none.
 */

import { FieldReader } from '@standpipe/protos';
import { LiteralSearch } from './literal-search.ts';
import { Pattern } from './pattern.ts';
import { requiredWords } from './required-words.ts';
import { WordSearch } from './word-search.ts';

const LOG_FIELD = 4;
const PAYLOAD_FIELD = 1;
const CONTAINS_BYTES_MAX = 1024;

/** Text that is too long to be looked for. */
export class LongTextError extends Error {
  override readonly name = 'LongTextError';

  constructor(byteLength: number) {
    super(`Contains (${byteLength} bytes) must be ${CONTAINS_BYTES_MAX} bytes or less`);
  }
}

export class PayloadFilter {
  readonly #literal: LiteralSearch | undefined;
  readonly #pattern: Pattern | undefined;
  readonly #words: WordSearch | undefined;
  readonly #envelope = new FieldReader();
  readonly #log = new FieldReader();
  #start = 0;
  #end = 0;

  /** Empty texts are none. Throws a PatternError or a LongTextError. */
  constructor({ contains, matches }: { readonly contains: string; readonly matches: string }) {
    const literal = Buffer.from(contains);
    if (literal.length > CONTAINS_BYTES_MAX) throw new LongTextError(literal.length);
    this.#literal = contains === '' ? undefined : new LiteralSearch(literal);
    this.#pattern = matches === '' ? undefined : new Pattern(matches);
    const words = this.#pattern && requiredWords(matches);
    this.#words = words && new WordSearch(words);
  }

  /** See Pattern. */
  get work(): number {
    return (this.#pattern?.work ?? 0) + (this.#literal?.work ?? 0) + (this.#words?.work ?? 0);
  }

  /** To be called when the bytes that were looked at may have changed. */
  restart(): void {
    this.#literal?.restart();
  }

  /** Whether the log bytes[start, end) passes. */
  passes(bytes: Uint8Array, start: number, end: number): boolean {
    const literal = this.#literal;
    if (literal !== undefined && !literal.mayHold(bytes, start, end)) return false;
    if (this.#words?.isIn(bytes, start, end) === false) return false;
    this.#findPayload(bytes, start, end);
    if (literal !== undefined && !literal.isIn(bytes, this.#start, this.#end)) return false;
    if (this.#pattern === undefined) return true;
    return this.#pattern.test(bytes.subarray(this.#start, this.#end));
  }

  /** Of several payloads the last counts. */
  #findPayload(bytes: Uint8Array, start: number, end: number): void {
    this.#start = start;
    this.#end = start;
    const envelope = this.#envelope.over(bytes, start, end);
    while (envelope.next()) {
      if (envelope.field !== LOG_FIELD || envelope.wireType !== 2) continue;
      const log = this.#log.over(bytes, envelope.start, envelope.end);
      while (log.next()) {
        if (log.field !== PAYLOAD_FIELD || log.wireType !== 2) continue;
        this.#start = log.start;
        this.#end = log.end;
      }
    }
  }
}
