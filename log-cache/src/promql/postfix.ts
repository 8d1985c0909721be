/** What may follow an operand: a range, a subquery, `offset` and `@`. Throws a Mistake. */

import { fixedNumber } from '../quote.ts';
import type { Expr, MatrixSelector, Subquery, TimeShift, VectorSelector } from './ast.ts';
import { Mistake } from './errors.ts';

/** `at` is where its own part of the text begins, `to` where all ends. */
export type Postfix = { readonly at: number; readonly to: number } & (
  | { readonly type: 'range'; readonly rangeMs: number }
  | { readonly type: 'subquery'; readonly rangeMs: number; readonly stepMs: number | undefined }
  | { readonly type: 'offset'; readonly offsetMs: number }
  /** In seconds. */
  | { readonly type: 'at'; readonly time: NonNullable<TimeShift['at']> }
);

const NOWHERE =
  'modifier must be preceded by an instant vector selector or range vector selector or a subquery';
const TIME_MS_MAX = 2 ** 63;

export function applyPostfix(expr: Expr, postfix: Postfix): Expr {
  switch (postfix.type) {
    case 'range':
      return ranged(expr, postfix.rangeMs, postfix);
    case 'subquery': {
      const { rangeMs, stepMs, to } = postfix;
      const { from } = expr;
      return { type: 'subquery', expr, rangeMs, stepMs, offsetMs: 0, at: undefined, from, to };
    }
    case 'offset':
      return shifted(expr, postfix.to, 'offset', (shift) => {
        if (shift.offsetMs !== 0) throw new Mistake(expr, 'offset may not be set multiple times');
        return { offsetMs: postfix.offsetMs };
      });
    case 'at':
      return shifted(expr, postfix.to, '@', (shift) => {
        if (shift.at !== undefined) {
          throw new Mistake(expr, '@ <timestamp> may not be set multiple times');
        }
        return { at: timeOf(postfix.time, expr) };
      });
  }
}

function ranged(expr: Expr, rangeMs: number, { at, to }: Postfix): MatrixSelector {
  if (expr.type !== 'selector') {
    throw new Mistake(at - 1, 'ranges only allowed for vector selectors');
  }
  if (expr.offsetMs !== 0) throw new Mistake(at - 1, 'no offset modifiers allowed before range');
  if (expr.at !== undefined) throw new Mistake(at - 1, 'no @ modifiers allowed before range');
  return { type: 'matrix', selector: expr, rangeMs, from: expr.from, to };
}

function shifted(
  expr: Expr,
  to: number,
  modifier: string,
  change: (shift: TimeShift) => Partial<TimeShift>,
): VectorSelector | MatrixSelector | Subquery {
  if (expr.type === 'selector' || expr.type === 'subquery') return { ...expr, ...change(expr), to };
  if (expr.type === 'matrix') {
    return { ...expr, selector: { ...expr.selector, ...change(expr.selector) }, to };
  }
  throw new Mistake(expr, `${modifier} ${NOWHERE}`);
}

/** In milliseconds, of what is written in seconds. */
function timeOf(time: NonNullable<TimeShift['at']>, expr: Expr): NonNullable<TimeShift['at']> {
  if (typeof time !== 'number') return time;
  if (Math.abs(time * 1000) < TIME_MS_MAX) return Math.round(time * 1000);
  throw new Mistake(expr, `timestamp out of bounds for @ modifier: ${fixedNumber(time)}`);
}
