/**
 * Reads PromQL: the maintained grammar finds the leaves, and this builds the expression of them.
 *
 * The grammar's tree is for editors: what follows an operand (`offset`, `@`, a range) hangs on all
 * that is before it, and signs are part of numbers. So operands, operators and what follows them
 * are laid out in a row as the text has them, and put together by Prometheus' precedence.
 *
 *     a + b offset 5m * -2   ──▶   [a] + [b, offset] * - [2]   ──▶   a + (b offset 5m * -2)
 *
 * Beyond Prometheus 2.42: names in quotes (`{"http.requests","http.method"="GET"}`), plain numbers
 * for durations, `limitk`, `limit_ratio`. What later versions have as experiments is refused.
 */

import type { SyntaxNode } from '@lezer/common';
import type { Expr, Matching, TimeShift } from './ast.ts';
import { check } from './check.ts';
import { checkDepth, checkParentheses, DEPTH_MAX, TOO_DEEP } from './depth.ts';
import { Mistake, ParseError } from './errors.ts';
import {
  durationMistake,
  numberMistake,
  parseDuration,
  parseNumber,
  StringError,
  unquote,
} from './literals.ts';
import { PatternSizes } from './matcher.ts';
import type { Postfix } from './postfix.ts';
import { type Item, isOperator, type Operator, putTogether } from './precedence.ts';
import { selectorOf } from './selector.ts';
import { checkTokens } from './token-count.ts';
import { mistakeAt } from './tokens.ts';
import { OPERANDS_MAX, TOO_LONG, treeOf } from './tree.ts';

/** A query may be so long. */
export const QUERY_LENGTH_MAX: number = 128 * 1024;
/** So deep may the grammar's tree be, in which each operand is a level; past 2500 it is cut. */
const LEVELS_MAX = OPERANDS_MAX + 100;
/** How many levels it takes, at most, from an operand to what is inside its parentheses. */
const LEVELS_PER_OPERAND = 3;

/**
 * Reads a query and checks its types; `sizes` is shared with others of the same request. Throws a
 * ParseError.
 */
export function parse(text: string, sizes: PatternSizes = new PatternSizes()): Expr {
  try {
    if (text.length > QUERY_LENGTH_MAX) throw new Mistake(0, 'the query is too long');
    checkTokens(text);
    checkParentheses(text);
    const expr = new Builder(text, sizes).build();
    checkDepth(expr);
    check(expr);
    return expr;
  } catch (error) {
    if (!(error instanceof Mistake)) throw error;
    throw new ParseError(text, error.at, error.message);
  }
}

class Builder {
  readonly #text: string;
  readonly #sizes: PatternSizes;
  #depth = 0;
  /** How deep the grammar's tree is, where it is read. */
  #level = 0;

  constructor(text: string, sizes: PatternSizes) {
    this.#text = text;
    this.#sizes = sizes;
  }

  build(): Expr {
    const [node] = childrenOf(treeOf(this.#text));
    if (node === undefined) throw mistakeAt(this.#text, 0);
    return this.#expr(node);
  }

  /** An expression with all its operators. */
  #expr(node: SyntaxNode): Expr {
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw new Mistake(node, TOO_DEEP);
    const items: Item[] = [];
    this.#layOut(node, items);
    const expr = putTogether(items);
    this.#depth -= 1;
    return expr;
  }

  /** Lays out the operands and operators of a tree from left to right. */
  #layOut(top: SyntaxNode, items: Item[]): void {
    // A stack of its own, since the left side of a long sum is as deep as the sum is long.
    const outer = this.#level;
    const waiting = [{ part: top as SyntaxNode | Item, level: outer + LEVELS_PER_OPERAND }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { part, level } = next;
      if ('type' in part && typeof part.type === 'string') {
        items.push(part);
        continue;
      }
      const node = part as SyntaxNode; // Items were told apart by their type.
      if (level > LEVELS_MAX) throw new Mistake(node, TOO_LONG);
      this.#level = level;
      for (const inner of this.#parts(node).reverse()) {
        waiting.push({ part: inner, level: level + 1 });
      }
    }
    this.#level = outer;
  }

  #parts(node: SyntaxNode): (SyntaxNode | Item)[] {
    const children = childrenOf(node);
    const [first] = children;
    switch (node.name) {
      case 'BinaryExpr': {
        const last = children.at(-1);
        if (first === undefined || last === undefined) break;
        return [first, { type: 'operator', ...this.#operator(children.slice(1, -1)) }, last];
      }
      case 'UnaryExpr': {
        const [sign, operand] = children;
        if (sign === undefined || operand === undefined) break;
        return [this.#sign(sign.from), operand];
      }
      case 'OffsetExpr':
      case 'StepInvariantExpr':
      case 'MatrixSelector':
      case 'SubqueryExpr':
        if (first === undefined) break;
        return [first, { type: 'postfix', postfix: this.#postfix(node, children) }];
      case 'NumberDurationLiteral':
        return this.#number(node);
    }
    return [{ type: 'operand', expr: this.#operand(node, children) }];
  }

  #sign(at: number): Item {
    return { type: 'sign', op: this.#text.charAt(at) === '-' ? '-' : '+', from: at };
  }

  #number({ from, to }: SyntaxNode): Item[] {
    const items: Item[] = [];
    let start = from;
    if (/[+-]/.test(this.#text.charAt(from))) {
      items.push(this.#sign(from));
      start += 1;
      while (/\s/.test(this.#text.charAt(start))) start += 1;
    }
    const expr = { type: 'number', value: this.#numberIn(start, to), from: start, to } as const;
    items.push({ type: 'operand', expr });
    return items;
  }

  /** A number, or a duration as its seconds. */
  #numberIn(from: number, to: number): number {
    const text = this.#text.slice(from, to);
    const number = parseNumber(text);
    if (number !== undefined) return number;
    const ms = parseDuration(text);
    if (ms !== undefined) return ms / 1000;
    if (/^0x|^[\d._e+-]+$/i.test(text)) throw new Mistake(from, numberMistake(text));
    throw new Mistake(from, durationMistake(text));
  }

  #operand(node: SyntaxNode, children: readonly SyntaxNode[]): Expr {
    const { from, to } = node;
    const [first] = children;
    switch (node.name) {
      case 'StringLiteral':
        return { type: 'string', value: this.#string(node), from, to };
      case 'VectorSelector':
        return selectorOf(this.#text, node, this.#sizes);
      case 'ParenExpr':
        if (first === undefined) break;
        return { type: 'paren', expr: this.#expr(first), from, to };
      case 'FunctionCall': {
        const name = first === undefined ? '' : this.#slice(first);
        return { type: 'call', name, args: this.#args(children), from, to };
      }
      case 'AggregateExpr':
        return this.#aggregate(node, children);
    }
    throw new Mistake(from, `"${this.#text.slice(from, to)}" is not supported`);
  }

  #args(children: readonly SyntaxNode[]): Expr[] {
    const body = children.find(({ name }) => name === 'FunctionCallBody');
    return body === undefined ? [] : childrenOf(body).map((child) => this.#expr(child));
  }

  #aggregate({ from, to }: SyntaxNode, children: readonly SyntaxNode[]): Expr {
    const [first] = children;
    const op = first === undefined ? '' : this.#slice(first).toLowerCase();
    const modifier = children.find(({ name }) => name === 'AggregateModifier');
    const [keyword, labels] = modifier === undefined ? [] : childrenOf(modifier);
    const args = this.#args(children);
    const isParametric = PARAMETRIC.has(op);
    const count = isParametric ? 2 : 1;
    if (args.length === 0) {
      throw new Mistake(from, 'no arguments for aggregate expression provided');
    }
    const [left, right] = args;
    const expr = isParametric ? right : left;
    if (expr === undefined || args.length !== count) {
      const text = `wrong number of arguments for aggregate expression provided, expected ${count}, got ${args.length}`;
      throw new Mistake(from, text);
    }
    return {
      type: 'aggregate',
      op,
      param: isParametric ? left : undefined,
      expr,
      without: keyword?.name === 'Without',
      grouping: this.#labels(labels),
      from,
      to,
    };
  }

  #operator(nodes: readonly SyntaxNode[]): Operator {
    const [operator, ...modifiers] = nodes;
    if (operator === undefined) throw mistakeAt(this.#text, 0);
    const op = this.#slice(operator).toLowerCase();
    if (!isOperator(op)) throw new Mistake(operator, `"${op}" is not supported`);
    const fill = modifiers.find(({ name }) => name.startsWith('Fill'));
    if (fill !== undefined) throw new Mistake(fill, '"fill" is not supported');
    const clause = modifiers.find(({ name }) => name === 'MatchingModifierClause');
    return {
      op,
      from: operator.from,
      to: operator.to,
      bool: modifiers.some(({ name }) => name === 'BoolModifier'),
      matching: clause && this.#matching(clause),
    };
  }

  #matching(clause: SyntaxNode): Matching {
    const [keyword, labels, group, include] = childrenOf(clause);
    const cards = { GroupLeft: 'many-to-one', GroupRight: 'one-to-many' } as const;
    return {
      on: keyword?.name === 'On',
      labels: this.#labels(labels),
      card: cards[group?.name as keyof typeof cards] ?? 'one-to-one', // Undefined is no key.
      include: this.#labels(include),
      isGrouped: group !== undefined,
    };
  }

  #labels(node: SyntaxNode | undefined): readonly string[] {
    if (node === undefined) return [];
    return childrenOf(node).map((label) =>
      label.name === 'QuotedLabelName' ? this.#string(label) : this.#slice(label),
    );
  }

  #postfix(node: SyntaxNode, children: readonly SyntaxNode[]): Postfix {
    const { to } = node;
    const [, second, third] = children;
    if (second === undefined) throw mistakeAt(this.#text, node.from);
    const at = second.from;
    switch (node.name) {
      case 'MatrixSelector':
        return { type: 'range', rangeMs: this.#durationMs(second), at, to };
      case 'SubqueryExpr': {
        const stepMs = third && this.#durationMs(third);
        return { type: 'subquery', rangeMs: this.#durationMs(second), stepMs, at, to };
      }
      case 'OffsetExpr': {
        const offset = this.#text.slice(third?.from ?? to, to);
        return { type: 'offset', offsetMs: this.#signedMs(offset, third?.from ?? at), at, to };
      }
      default:
        return { type: 'at', time: this.#atTime(third), at, to };
    }
  }

  #atTime(node: SyntaxNode | undefined): NonNullable<TimeShift['at']> {
    const text = node === undefined ? '' : this.#slice(node);
    if (/^start\b/i.test(text)) return 'start';
    if (/^end\b/i.test(text)) return 'end';
    const sign = text.startsWith('-') ? -1 : 1;
    const start = (node?.from ?? 0) + (/^[+-]\s*/.exec(text)?.[0].length ?? 0);
    return sign * this.#numberIn(start, node?.to ?? 0);
  }

  #durationMs(node: SyntaxNode): number {
    const ms = this.#signedMs(this.#slice(node), node.from);
    if (ms <= 0) throw new Mistake(node, 'duration must be greater than 0');
    return ms;
  }

  #signedMs(text: string, at: number): number {
    const [, sign = '', body = ''] = /^([+-]?)\s*(.*)$/s.exec(text) ?? [];
    if (!/^[\w.]+$/.test(body)) throw new Mistake(at, `duration "${text}" is not supported`);
    const number = parseNumber(body);
    const ms = number === undefined ? parseDuration(body) : Math.round(number * 1000);
    if (ms === undefined || !Number.isFinite(ms)) {
      throw new Mistake(at + text.length - body.length, durationMistake(body));
    }
    return sign === '-' ? -ms : ms;
  }

  #string({ from, to }: SyntaxNode): string {
    try {
      return unquote(this.#text.slice(from, to));
    } catch (error) {
      if (!(error instanceof StringError)) throw error;
      throw new Mistake(from, error.message);
    }
  }

  #slice({ from, to }: SyntaxNode): string {
    return this.#text.slice(from, to);
  }
}

const PARAMETRIC: ReadonlySet<string> = new Set([
  'topk',
  'bottomk',
  'count_values',
  'quantile',
  'limitk',
  'limit_ratio',
]);

function childrenOf(node: SyntaxNode): SyntaxNode[] {
  const children: SyntaxNode[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) {
    if (child.name !== 'LineComment') children.push(child);
  }
  return children;
}
