/**
 * How deep an expression may nest, so that whoever walks it may call itself for what is inside.
 *
 *     a + b + c + …     one level: chains are walked from left to right
 *     (((a)))           a level for each, as are calls, signs, and powers
 */

import { childrenOf, type Expr } from './ast.ts';
import { Mistake } from './errors.ts';

export const DEPTH_MAX = 500;
export const TOO_DEEP: string = `the expression is nested too deeply: there may be ${DEPTH_MAX} levels of parentheses, calls, signs and powers`;

/** Throws a Mistake. */
export function checkDepth(expr: Expr): void {
  const waiting: { readonly one: Expr; readonly depth: number }[] = [{ one: expr, depth: 0 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { one, depth } = next;
    if (depth > DEPTH_MAX) throw new Mistake(one, TOO_DEEP);
    for (const inner of childrenOf(one)) {
      const isChain = one.type === 'binary' && inner === one.left && inner.type === 'binary';
      waiting.push({ one: inner, depth: isChain ? depth : depth + 1 });
    }
  }
}
