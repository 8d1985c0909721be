/**
 * RE2 expressions that callers send.
 *
 * Their time is linear, and still an expression of thousands of instructions over long text is slow:
 * so both its length and a single match are bounded, by instructions times bytes.
 */

import { RE2JS, RE2JSException } from 're2js';
import { sizeWrittenOut } from './pattern-size.ts';

/** An expression that can't be used; the message is RE2's. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
}

/** What a filter has to look at takes too long. */
export class SlowFilterError extends Error {
  override readonly name = 'SlowFilterError';

  constructor() {
    super('the filter takes too long: ask for less, or more simply');
  }
}

const PATTERN_LENGTH_MAX = 8192;
/** Repeats are written out when an expression is compiled: `a{3}` is `aaa`. */
const WRITTEN_OUT_MAX = 10_000;
/** Instructions of the expression times bytes of the text: a match of so much takes a second. */
const MATCH_WORK_MAX = 10_000_000;

export class Pattern {
  /** Instructions times bytes of all matches so far: what they cost at the very most. */
  work = 0;
  readonly #expression: RE2JS;
  readonly #size: number;

  constructor(text: string) {
    this.#expression = compiled(text);
    this.#size = this.#expression.programSize();
  }

  /** Whether it is found anywhere in the text. Throws a SlowFilterError rather than be slow. */
  test(text: Uint8Array): boolean {
    const work = this.#size * text.length;
    if (work > MATCH_WORK_MAX) throw new SlowFilterError();
    this.work += work;
    return this.#expression.test(text);
  }
}

/** An expression that is compiled in a few milliseconds, or not at all. Throws a PatternError. */
export function compiled(text: string): RE2JS {
  if (text.length > PATTERN_LENGTH_MAX || sizeWrittenOut(text) > WRITTEN_OUT_MAX) {
    throw new PatternError('error parsing regexp: expression too large');
  }
  try {
    return RE2JS.compile(text);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw new PatternError(error.message, { cause: error });
  }
}
