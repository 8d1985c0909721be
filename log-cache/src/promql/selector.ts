/** Reads a selector: a name and matchers. Names of metrics are sanitised as those of the data are. */

import type { SyntaxNode } from '@lezer/common';
import { PatternError } from '../pattern.ts';
import type { Span, VectorSelector } from './ast.ts';
import { Mistake } from './errors.ts';
import { StringError, unquote } from './literals.ts';
import { Matcher, type MatchOp, type PatternSizes } from './matcher.ts';
import { METRIC_NAME, sanitised } from './names.ts';
import { mistakeAt } from './tokens.ts';

export function selectorOf(text: string, node: SyntaxNode, sizes: PatternSizes): VectorSelector {
  const { from, to } = node;
  const identifier = node.getChild('Identifier');
  const braces = node.getChild('LabelMatchers');
  const matchers: Matcher[] = [];
  const spans: (Span | undefined)[] = [];
  let name: string | undefined;
  const setName = (value: string): void => {
    if (name !== undefined) {
      throw new Mistake(from, `metric name must not be set twice: "${name}" or "${value}"`);
    }
    name = value;
  };

  if (identifier !== null) {
    const word = text.slice(identifier.from, identifier.to);
    // The one operator that is no name either, for Prometheus.
    if (word.toLowerCase() === 'atan2') throw mistakeAt(text, identifier.from);
    setName(word);
  }
  for (let child = braces?.firstChild; child; child = child.nextSibling) {
    if (child.name === 'QuotedLabelName') setName(stringOf(text, child));
    else if (child.name.endsWith('LabelMatcher')) {
      const matcher = matcherOf(text, child, sizes);
      if (matcher.name === METRIC_NAME && identifier !== null) setName(matcher.value);
      matchers.push(matcher);
      spans.push({ from: child.from, to: child.to });
    }
  }
  if (name !== undefined) {
    matchers.unshift(new Matcher(METRIC_NAME, '=', sanitised(name)));
    spans.unshift(undefined);
  }
  if (matchers.every((matcher) => matcher.matches(''))) {
    throw new Mistake(from, 'vector selector must contain at least one non-empty matcher');
  }
  return { type: 'selector', matchers, spans, offsetMs: 0, at: undefined, from, to };
}

function matcherOf(text: string, node: SyntaxNode, sizes: PatternSizes): Matcher {
  const [label, op, value] = [node.firstChild, node.getChild('MatchOp'), node.lastChild];
  if (label === null || op === null || value === null)
    throw new Mistake(node, 'unexpected matcher');
  const name = label.name === 'QuotedLabelName' ? stringOf(text, label) : sliceOf(text, label);
  const operator = sliceOf(text, op) as MatchOp; // The grammar has no other.
  try {
    const given = stringOf(text, value);
    const isName = name === METRIC_NAME && operator === '=';
    const matcher = new Matcher(name, operator, isName ? sanitised(given) : given);
    sizes.add(matcher);
    return matcher;
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw new Mistake(node, error.message);
  }
}

function stringOf(text: string, node: SyntaxNode): string {
  try {
    return unquote(sliceOf(text, node));
  } catch (error) {
    if (!(error instanceof StringError)) throw error;
    throw new Mistake(node, error.message);
  }
}

function sliceOf(text: string, { from, to }: SyntaxNode): string {
  return text.slice(from, to);
}
