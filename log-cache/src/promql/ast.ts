/**
 * What a PromQL expression is, once it has been read: plain objects, each with its place in the text.
 *
 * Times and durations are milliseconds. Parentheses stay, since errors and `absent` look at them.
 */

import type { Matcher } from './matcher.ts';

/** Bounds in the text, in UTF-16 units. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export type ValueType = 'scalar' | 'vector' | 'matrix' | 'string';

/** What moves the time at which something is looked at. */
export interface TimeShift {
  readonly offsetMs: number;
  /** A fixed time, or the query's own bounds. */
  readonly at: number | 'start' | 'end' | undefined;
}

export interface NumberLiteral extends Span {
  readonly type: 'number';
  readonly value: number;
}

export interface StringLiteral extends Span {
  readonly type: 'string';
  readonly value: string;
}

export interface VectorSelector extends Span, TimeShift {
  readonly type: 'selector';
  /** All matchers, that of the name among them. */
  readonly matchers: readonly Matcher[];
  /** Where each of them stands in the text; the name that is a word has no matcher there. */
  readonly spans: readonly (Span | undefined)[];
}

export interface MatrixSelector extends Span {
  readonly type: 'matrix';
  readonly selector: VectorSelector;
  readonly rangeMs: number;
}

export interface Subquery extends Span, TimeShift {
  readonly type: 'subquery';
  readonly expr: Expr;
  readonly rangeMs: number;
  /** Undefined: the default. */
  readonly stepMs: number | undefined;
}

export interface Call extends Span {
  readonly type: 'call';
  readonly name: string;
  readonly args: readonly Expr[];
}

export interface Aggregate extends Span {
  readonly type: 'aggregate';
  readonly op: string;
  readonly param: Expr | undefined;
  readonly expr: Expr;
  readonly without: boolean;
  readonly grouping: readonly string[];
}

/** Which labels decide that two series of a binary operation belong together. */
export interface Matching {
  readonly card: 'one-to-one' | 'many-to-one' | 'one-to-many';
  readonly on: boolean;
  readonly labels: readonly string[];
  /** What `group_left` and `group_right` take over from the other side. */
  readonly include: readonly string[];
  readonly isGrouped: boolean;
}

export interface Binary extends Span {
  readonly type: 'binary';
  readonly op: string;
  readonly opSpan: Span;
  readonly left: Expr;
  readonly right: Expr;
  readonly bool: boolean;
  /** Undefined, when the text has no `on` and no `ignoring`. */
  readonly matching: Matching | undefined;
}

export interface Unary extends Span {
  readonly type: 'unary';
  readonly op: '+' | '-';
  readonly expr: Expr;
}

export interface Paren extends Span {
  readonly type: 'paren';
  readonly expr: Expr;
}

export type Expr =
  | NumberLiteral
  | StringLiteral
  | VectorSelector
  | MatrixSelector
  | Subquery
  | Call
  | Aggregate
  | Binary
  | Unary
  | Paren;

export const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '<', '>', '<=', '>=']);
export const SET_OPERATORS: ReadonlySet<string> = new Set(['and', 'or', 'unless']);

/** What is inside parentheses. */
export function unwrapped(expr: Expr): Expr {
  let inner = expr;
  while (inner.type === 'paren') inner = inner.expr;
  return inner;
}

/** The expressions that one is made of. */
export function childrenOf(expr: Expr): readonly Expr[] {
  switch (expr.type) {
    case 'matrix':
      return [expr.selector];
    case 'subquery':
    case 'unary':
    case 'paren':
      return [expr.expr];
    case 'call':
      return expr.args;
    case 'aggregate':
      return expr.param ? [expr.param, expr.expr] : [expr.expr];
    case 'binary':
      return [expr.left, expr.right];
    default:
      return [];
  }
}

/** Every selector in an expression, in the order of the text. */
export function* selectorsOf(expr: Expr): Generator<VectorSelector> {
  const waiting = [expr];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next.type === 'selector') yield next;
    waiting.push(...childrenOf(next).toReversed());
  }
}
