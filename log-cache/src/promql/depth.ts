/**
 * How deep an expression may nest, so that whoever walks it may call itself for what is inside.
 *
 *     a + b + c + …     one level: chains are walked from left to right
 *     (((a)))           a level for each, as are calls, signs, and powers
 */

import { childrenOf, type Expr } from './ast.ts';
import { Mistake } from './errors.ts';
import { Lexer, type Token } from './lexer.ts';

export const DEPTH_MAX = 500;
export const TOO_DEEP: string = `the expression is nested too deeply: there may be ${DEPTH_MAX} levels of parentheses, calls, signs and powers`;

/**
 * Looks at a text before the grammar does, which takes half a second for some thousand parentheses
 * in each other. Throws a Mistake.
 */
export function checkParentheses(text: string): void {
  if (text.split('(').length <= DEPTH_MAX) return; // Nearly always, and they may be in a string.
  let depth = 0;
  for (const { text: token, from } of tokensOf(text)) {
    if (token === '(') depth += 1;
    if (token === ')') depth -= 1;
    if (depth > DEPTH_MAX) throw new Mistake(from, TOO_DEEP);
  }
}

/** Up to what is no token: the grammar will say so. */
function* tokensOf(text: string): Generator<Token> {
  const lexer = new Lexer(text);
  try {
    for (let token = lexer.next(); token.kind !== 'end'; token = lexer.next()) yield token;
  } catch (error) {
    if (!(error instanceof Mistake)) throw error;
  }
}

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
