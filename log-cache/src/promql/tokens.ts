/**
 * Names the token at which a text stops being PromQL, in Prometheus' words.
 *
 * The grammar only says where it came to an end. The text up to there is walked once more, token by
 * token (lexer.ts): what the lexer refuses comes first; else the token is unexpected, and what stands
 * before it says what was expected.
 */

import { Mistake } from './errors.ts';
import { Lexer, type Token } from './lexer.ts';

const GROUPINGS: ReadonlySet<string> = new Set(
  'by without on ignoring group_left group_right'.split(' '),
);
const KEYWORDS: ReadonlySet<string> = new Set([...GROUPINGS, 'bool', 'offset']);
const WORD_OPERATORS: ReadonlySet<string> = new Set('and or unless atan2'.split(' '));
const AGGREGATORS: ReadonlySet<string> = new Set(
  'sum avg count min max group stddev stdvar topk bottomk count_values quantile limitk limit_ratio'.split(
    ' ',
  ),
);
const PREPROCESSORS: ReadonlySet<string> = new Set(['start', 'end']);

/** The mistake in `text`, of which the grammar has no parse from `at` on. */
export function mistakeAt(text: string, at: number): Mistake {
  const lexer = new Lexer(text);
  const before: Token[] = [];
  try {
    for (;;) {
      // A bracket that opens here is part of the unexpected, not around it.
      const { inBraces } = lexer;
      const token = lexer.next();
      if (token.from >= at || token.kind === 'end') {
        return unexpected(token, before, { inBraces, lexer });
      }
      before.push(token);
    }
  } catch (error) {
    if (error instanceof Mistake) return error;
    throw error;
  }
}

/** Throws what the lexer refuses behind a call of what is no function. */
function unexpected(
  token: Token,
  before: readonly Token[],
  { inBraces, lexer }: { readonly inBraces: boolean; readonly lexer: Lexer },
): Mistake {
  const last = before.at(-1);
  if (token.text === '(' && last?.kind === 'word' && !isReserved(last.text)) {
    skipCall(lexer);
    return new Mistake(last.from, `unknown function with name "${last.text}"`);
  }
  const isInLabels = inBraces || token.text === '}';
  const grouping = groupingOf(before);
  if (last?.text === ',' && !isInLabels && grouping === undefined && isInCall(before)) {
    return new Mistake(last.from, 'trailing commas not allowed in function call args');
  }
  const context = isInLabels ? inLabels(last) : inOthers(token, before, grouping);
  return new Mistake(token.from, `unexpected ${named(token, inBraces)}${context}`);
}

/** To the end of a call whose parenthesis has been read. */
function skipCall(lexer: Lexer): void {
  for (let depth = 1; depth > 0; ) {
    const { kind, text } = lexer.next();
    if (kind === 'end') return;
    if (text === '(') depth += 1;
    if (text === ')') depth -= 1;
  }
}

function inLabels(last: Token | undefined): string {
  const next = {
    string: '"," or "}"',
    word: 'label matching operator',
    op: last?.text === ',' ? 'identifier or "}"' : 'string',
  };
  const what = next[last?.kind as keyof typeof next] ?? 'identifier or "}"'; // Others come first.
  return ` in label matching, expected ${what}`;
}

function inOthers(token: Token, before: readonly Token[], grouping: Token | undefined): string {
  const texts = before.slice(-3).map(({ text }) => text.toLowerCase());
  if (/(?:^| )offset(?: [+-])?$/.test(texts.join(' '))) return ' in offset, expected duration';
  if (/(?:^| )@(?: [+-]| (?:start|end)(?: \()?)?$/.test(texts.join(' '))) {
    return ' in @, expected timestamp';
  }
  if (grouping === undefined) return isInAggregation(before) ? ' in aggregation' : '';
  const last = before.at(-1);
  if (grouping === last) return token.text === '(' ? '' : ' in grouping opts, expected "("';
  if (last?.kind === 'word') return ' in grouping opts, expected "," or ")"';
  return ' in grouping opts, expected label';
}

/** The keyword whose list of labels the last token is in. */
function groupingOf(before: readonly Token[]): Token | undefined {
  for (let index = before.length - 1; index >= 0; index -= 1) {
    const token = before[index];
    if (token === undefined || token.text === ')') return undefined;
    if (token.kind === 'word' && GROUPINGS.has(token.text.toLowerCase())) {
      const next = before[index + 1];
      return next === undefined || next.text === '(' ? token : undefined;
    }
    if (token.kind !== 'word' && token.text !== ',' && token.text !== '(') return undefined;
  }
  return undefined;
}

/** Where each parenthesis that is open among the tokens up to `end` stands, the innermost first. */
function* openParentheses(before: readonly Token[], end = before.length): Generator<number> {
  let closed = 0;
  for (let index = end - 1; index >= 0; index -= 1) {
    const text = before[index]?.text;
    if (text === ')') closed += 1;
    if (text !== '(') continue;
    if (closed === 0) yield index;
    else closed -= 1;
  }
}

/** Whether the innermost parenthesis around the end of these tokens is a call's. */
function isInCall(before: readonly Token[]): boolean {
  for (const index of openParentheses(before)) return before[index - 1]?.kind === 'word';
  return false;
}

/** Whether the end of these tokens is in an aggregation, or after its `by (…)`. */
function isInAggregation(before: readonly Token[]): boolean {
  if (before.at(-1)?.text === ')' && isAggregator(before, before.length)) return true;
  for (const index of openParentheses(before)) if (isAggregator(before, index)) return true;
  return false;
}

/** Whether the tokens up to `end` end in an aggregator, with a `by (…)` behind it or without. */
function isAggregator(before: readonly Token[], end: number): boolean {
  const lowerAt = (index: number): string => before[index]?.text.toLowerCase() ?? '';
  if (lowerAt(end - 1) !== ')') return AGGREGATORS.has(lowerAt(end - 1));
  for (const start of openParentheses(before, end - 1)) {
    const keyword = lowerAt(start - 1);
    return (keyword === 'by' || keyword === 'without') && AGGREGATORS.has(lowerAt(start - 2));
  }
  return false;
}

/** Whether a word is no name of a function that somebody could have got wrong. */
function isReserved(word: string): boolean {
  const lower = word.toLowerCase();
  return KEYWORDS.has(lower) || WORD_OPERATORS.has(lower) || PREPROCESSORS.has(lower);
}

/** A token as Prometheus names it. */
function named({ kind, text }: Token, inBraces: boolean): string {
  const lower = text.toLowerCase();
  if (kind === 'end') return 'end of input';
  if (kind === 'word' && inBraces) return `identifier "${text}"`;
  if (kind === 'word' && PREPROCESSORS.has(lower)) return JSON.stringify(text);
  if (kind === 'word' && KEYWORDS.has(lower)) return `<${text}>`;
  if (kind === 'word' && WORD_OPERATORS.has(lower)) return `<op:${text}>`;
  if (kind === 'word' && AGGREGATORS.has(lower)) return `<aggr:${text}>`;
  if (kind === 'word' && text.includes(':')) return `metric identifier "${text}"`;
  if (kind === 'word') return `identifier "${text}"`;
  if (kind === 'string') return `string ${JSON.stringify(text)}`;
  if (text === '@') return '"@" <op:@>';
  if (kind === 'op' && !/^[=,:]$/.test(text)) return `<op:${text}>`;
  if (kind === 'op' || kind === 'bracket') return JSON.stringify(text);
  return `${kind} "${text}"`;
}
