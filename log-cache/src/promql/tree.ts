/** The syntax tree that the maintained grammar makes of a query. Throws a Mistake. */

import type { PartialParse, SyntaxNode } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';
import { TOO_DEEP } from './depth.ts';
import { Mistake } from './errors.ts';
import { mistakeAt } from './tokens.ts';

/** A chain of operators may have so many operands. */
export const OPERANDS_MAX = 2000;
/** An operand is two reductions, and those of the first thousand or so are not counted. */
const REDUCTIONS_MAX = 3 * OPERANDS_MAX;
export const TOO_LONG: string = `the expression is too long: a chain of operators may have ${OPERANDS_MAX} operands`;

/** What LRParser's parse has, but doesn't tell: how long a chain has become. */
interface Counting {
  bigReductionCount: number;
}

const strict = parser.configure({ strict: true });

export function treeOf(text: string): SyntaxNode {
  // The grammar doesn't know the old name of double_exponential_smoothing, nor numbers like `5.`,
  // `5.e3` and `0X5`: it gets others of the same length. What they are is read from the text itself.
  const known = text
    .replaceAll(/\bholt_winters(?=\s*\()/g, 'day_of_month')
    .replaceAll(/(?<![\w.])(\d+)\.(?=(?:e[+-]?\d+)?(?![\w.]))/gi, '$10')
    .replaceAll(/(?<![\w.])0X(?=[\da-fA-F])/g, '0x');
  try {
    const parse = strict.startParse(known) as PartialParse & Counting;
    let reductions = 0;
    for (;;) {
      const tree = parse.advance();
      if (tree !== null) return tree.topNode;
      // The parser breaks off when it has counted 300, for the sake of those who walk its tree by
      // calling themselves. It does so itself, and bears more; but not any number.
      reductions += parse.bigReductionCount;
      parse.bigReductionCount = 0;
      if (reductions > REDUCTIONS_MAX) throw new Mistake(0, TOO_LONG);
    }
  } catch (error) {
    if (error instanceof Mistake) throw error;
    // The parser makes its tree by calling itself, and how much a call takes differs from run to run.
    if (error instanceof RangeError) throw new Mistake(0, TOO_DEEP);
    const [, at] = /^No parse at (\d+)$/.exec(String((error as Error).message)) ?? []; // Whatever else it is, it has a message or is thrown on.
    if (at === undefined) throw error;
    throw mistakeAt(text, Number(at));
  }
}
