/** Puts operands and operators that stand in a row together, by the precedence that Prometheus has. */

import type { Expr, Matching } from './ast.ts';
import { Mistake } from './errors.ts';
import { applyPostfix, type Postfix } from './postfix.ts';

const POW_LEVEL = 6;
const UNARY_LEVEL = 5;
const LEVELS: Readonly<Record<string, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  '==': 3,
  '!=': 3,
  '<': 3,
  '>': 3,
  '<=': 3,
  '>=': 3,
  '+': 4,
  '-': 4,
  '*': UNARY_LEVEL,
  '/': UNARY_LEVEL,
  '%': UNARY_LEVEL,
  atan2: UNARY_LEVEL,
  '^': POW_LEVEL,
};

export type Item =
  | { readonly type: 'operand'; readonly expr: Expr }
  | { readonly type: 'sign'; readonly op: '+' | '-'; readonly from: number }
  | { readonly type: 'postfix'; readonly postfix: Postfix }
  | ({ readonly type: 'operator' } & Operator);

export interface Operator {
  readonly op: string;
  readonly from: number;
  readonly to: number;
  readonly bool: boolean;
  readonly matching: Matching | undefined;
}

export function isOperator(op: string): boolean {
  return LEVELS[op] !== undefined;
}

export function putTogether(items: readonly Item[]): Expr {
  return new Precedence(items).expr();
}

class Precedence {
  readonly #items: readonly Item[];
  #at = 0;

  constructor(items: readonly Item[]) {
    this.#items = items;
  }

  expr(level = 0): Expr {
    let left = this.#operand();
    for (;;) {
      const item = this.#items[this.#at];
      if (item?.type !== 'operator') return left;
      const own = LEVELS[item.op] ?? 0;
      if (own < level) return left;
      this.#at += 1;
      // All associate to the left but the power.
      const right = this.expr(own === POW_LEVEL ? own : own + 1);
      const { op, bool, matching, from, to } = item;
      const opSpan = { from, to };
      left = {
        type: 'binary',
        op,
        opSpan,
        left,
        right,
        bool,
        matching,
        from: left.from,
        to: right.to,
      };
    }
  }

  #operand(): Expr {
    const item = this.#items[this.#at];
    this.#at += 1;
    if (item?.type === 'sign') {
      const expr = this.expr(POW_LEVEL);
      const { op, from } = item;
      if (expr.type !== 'number') return { type: 'unary', op, expr, from, to: expr.to };
      return { ...expr, value: op === '-' ? -expr.value : expr.value, from };
    }
    if (item?.type !== 'operand') throw new Mistake(0, 'unexpected end of input');
    let { expr } = item;
    for (;;) {
      const next = this.#items[this.#at];
      if (next?.type !== 'postfix') return expr;
      this.#at += 1;
      expr = applyPostfix(expr, next.postfix);
    }
  }
}
