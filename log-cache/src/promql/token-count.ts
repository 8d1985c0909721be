/**
 * How many tokens a text has, before the grammar looks at it: that takes some microseconds for each,
 * and a hundred kilobytes of `x,x,x` have as many. Long lists of ids are one token, a string.
 *
 *     x{a="b|c"} + 1   ──▶   x  {  a  =  "b|c"  }  +  1
 *
 * Strings, comments, and what is a run of letters end where the grammar has them end. Of the rest
 * each character counts, though some operators have two.
 */

import { Mistake } from './errors.ts';

/** Twice as many as the operands of the longest chain have, and an operator with `bool` for each. */
export const TOKENS_MAX = 6000;

/** Throws a Mistake. */
export function checkTokens(text: string): void {
  if (text.length <= TOKENS_MAX) return; // Nearly always.
  let count = 0;
  for (const from of tokenStarts(text)) {
    count += 1;
    if (count > TOKENS_MAX) {
      throw new Mistake(
        from,
        `the expression is too long: there may be ${TOKENS_MAX} names, values, operators and brackets`,
      );
    }
  }
}

const SPACE = /\s+/y;
const WORD = /[\w.:]+/y;
const COMMENT = /#[^\n]*/y;

export function* tokenStarts(text: string): Generator<number> {
  for (let at = 0; at < text.length; ) {
    const space = endOf(SPACE, text, at);
    if (space > at) {
      at = space;
      continue;
    }
    yield at;
    const char = text.charAt(at);
    if (char === '"' || char === "'") at = endOfString(text, at, char);
    else if (char === '`') {
      const end = text.indexOf('`', at + 1);
      if (end < 0) return; // The grammar goes no further either.
      at = end + 1;
    } else {
      at = Math.max(endOf(COMMENT, text, at), endOf(WORD, text, at), at + 1);
    }
  }
}

/** Behind its second quote; without one, where its line ends. */
function endOfString(text: string, from: number, quote: string): number {
  for (let at = from + 1; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === quote) return at + 1;
    if (char === '\n') return at;
    if (char === '\\') at += 1;
  }
  return text.length;
}

function endOf(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.test(text) ? pattern.lastIndex : from;
}
