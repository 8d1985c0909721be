/** Whether an expression has the same value at every step, because `@` fixes all it looks at. */

import { childrenOf, type Expr } from './ast.ts';

/** They look at the time of the step itself. */
const TIMELY: ReadonlySet<string> = new Set([
  'time',
  'timestamp',
  'predict_linear',
  'minute',
  'hour',
  'day_of_week',
  'day_of_month',
  'day_of_year',
  'days_in_month',
  'month',
  'year',
]);

export function isStepInvariant(expr: Expr): boolean {
  return hasFixedTime(expr) && isInvariant(expr);
}

function isInvariant(expr: Expr): boolean {
  switch (expr.type) {
    case 'selector':
      return expr.at !== undefined;
    case 'matrix':
      return expr.selector.at !== undefined;
    case 'subquery':
      return expr.at !== undefined;
    case 'call':
      return !TIMELY.has(expr.name) && expr.args.every(isInvariant);
    default:
      return childrenOf(expr).every(isInvariant);
  }
}

/** Numbers alone are not worth it. */
function hasFixedTime(expr: Expr): boolean {
  if (expr.type === 'selector' || expr.type === 'subquery') return expr.at !== undefined;
  return childrenOf(expr).some(hasFixedTime);
}
