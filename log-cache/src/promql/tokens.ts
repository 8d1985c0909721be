/**
 * Names the token at which a text stops being PromQL, in Prometheus' words.
 *
 * The grammar only says where it came to an end. This walks the text up to there once more, token
 * by token, as Prometheus' own lexer does: what that refuses by itself (a character, a string
 * without end, a bracket without its pair) comes first; else the token is unexpected, and what
 * stands before it says what was expected.
 */

import { Mistake } from './errors.ts';

interface Token {
  readonly kind: 'word' | 'number' | 'duration' | 'string' | 'op' | 'bracket' | 'end';
  readonly text: string;
  readonly from: number;
}

const SPACE = /(?:[\s]|#[^\n]*)*/y;
const STRING = /"(?:[^\\\n"]|\\.)*"|'(?:[^\\\n']|\\.)*'|`[^`]*`/y;
const DURATION = /\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*/y;
const NUMBER = /0x[0-9a-fA-F]*|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d*)?/iy;
const WORD = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const OPERATOR = /==|=~|!=|!~|<=|>=|[-+*/%^=<>@,:]/y;
const BRACKET = /[()[\]{}]/y;

const KEYWORDS: ReadonlySet<string> = new Set(
  'by without on ignoring group_left group_right bool offset'.split(' '),
);
const WORD_OPERATORS: ReadonlySet<string> = new Set('and or unless atan2'.split(' '));
const AGGREGATORS: ReadonlySet<string> = new Set(
  'sum avg count min max group stddev stdvar topk bottomk count_values quantile limitk limit_ratio'.split(
    ' ',
  ),
);
const GROUPINGS: ReadonlySet<string> = new Set(
  'by without on ignoring group_left group_right'.split(' '),
);
const PAIRS: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' };
const BRACKET_NAMES: Readonly<Record<string, string>> = {
  ')': 'right parenthesis',
  ']': 'right bracket',
  '}': 'right brace',
};

/** The mistake in `text`, of which the grammar has no parse from `at` on. */
export function mistakeAt(text: string, at: number): Mistake {
  const tokens: Token[] = [];
  const open: string[] = [];
  for (;;) {
    const token = nextToken(text, tokens.at(-1), open);
    if (token instanceof Mistake) return token;
    if (token.from >= at || token.kind === 'end') return unexpected(token, tokens, open);
    tokens.push(token);
  }
}

function nextToken(text: string, before: Token | undefined, open: string[]): Token | Mistake {
  const start = before === undefined ? 0 : before.from + before.text.length;
  const from = start + (matched(SPACE, text, start) ?? '').length;
  const inBraces = open.at(-1) === '{';
  if (from >= text.length) return atEnd(text, from, before, open);
  const char = String.fromCodePoint(text.codePointAt(from) ?? 0);
  if (char === '"' || char === "'" || char === '`') {
    const string = matched(STRING, text, from);
    if (string !== undefined) return { kind: 'string', text: string, from };
    return new Mistake(from, `unterminated ${char === '`' ? 'raw' : 'quoted'} string`);
  }
  const bracket = matched(BRACKET, text, from);
  if (bracket !== undefined) return pairedBracket(bracket, from, open);
  if (inBraces) {
    const strange = strangeInBraces(text, from, char);
    if (strange !== undefined) return strange;
  }
  for (const [kind, pattern] of KINDS) {
    const found = matched(pattern, text, from);
    if (found !== undefined) return { kind, text: found, from };
  }
  return new Mistake(from, `unexpected character: ${quoted(char)}`);
}

const KINDS = [
  ['duration', DURATION],
  ['number', NUMBER],
  ['word', WORD],
  ['op', OPERATOR],
] as const;

function matched(pattern: RegExp, text: string, from: number): string | undefined {
  pattern.lastIndex = from;
  return pattern.exec(text)?.[0];
}

function atEnd(
  text: string,
  from: number,
  before: Token | undefined,
  open: readonly string[],
): Token | Mistake {
  if (before === undefined) return new Mistake(0, 'no expression found in input');
  if (open.includes('{')) return new Mistake(from, 'unexpected end of input inside braces');
  if (open.includes('[')) return new Mistake(from, 'unclosed left bracket');
  if (open.includes('(')) return new Mistake(from, 'unclosed left parenthesis');
  return { kind: 'end', text: '', from: text.length };
}

function pairedBracket(bracket: string, from: number, open: string[]): Token | Mistake {
  const pair = PAIRS[bracket];
  if (pair === undefined) open.push(bracket);
  else if (open.at(-1) === pair) open.pop();
  else return new Mistake(from, `unexpected ${BRACKET_NAMES[bracket]} '${bracket}'`);
  return { kind: 'bracket', text: bracket, from };
}

function strangeInBraces(text: string, from: number, char: string): Mistake | undefined {
  if (char === '!' && !/[=~]/.test(text.charAt(from + 1))) {
    const next = text.slice(from + 1, from + 2);
    return new Mistake(from, `unexpected character after '!' inside braces: ${quoted(next)}`);
  }
  if (/[a-zA-Z_,=!]/.test(char)) return undefined;
  return new Mistake(from, `unexpected character inside braces: ${quoted(char)}`);
}

function quoted(char: string): string {
  return `'${char}'`;
}

function unexpected(token: Token, before: readonly Token[], open: readonly string[]): Mistake {
  const last = before.at(-1);
  const callee = before.at(-1);
  if (token.text === '(' && callee?.kind === 'word') {
    return new Mistake(callee.from, `unknown function with name "${callee.text}"`);
  }
  if (token.text === ')' && last?.text === ',') {
    return new Mistake(last.from, 'trailing commas not allowed in function call args');
  }
  // A bracket that opens here is part of the unexpected, not around it.
  const around = token.kind === 'bracket' && PAIRS[token.text] === undefined ? 1 : 0;
  const inBraces = open.at(-1 - around) === '{' || token.text === '}';
  return new Mistake(token.from, `unexpected ${named(token)}${expected(last, before, inBraces)}`);
}

/** What was expected behind the last token, and where. */
function expected(last: Token | undefined, before: readonly Token[], inBraces: boolean): string {
  if (inBraces) {
    const next = {
      string: '"," or "}"',
      word: 'label matching operator',
      op: last?.text === ',' ? 'identifier or "}"' : 'string',
    };
    const what = next[last?.kind as keyof typeof next] ?? 'identifier or "}"'; // Others come first.
    return ` in label matching, expected ${what}`;
  }
  if (last?.text.toLowerCase() === 'offset') return ' in offset, expected duration';
  if (before.some(({ text }, index) => text === '@' && index >= before.length - 2)) {
    return ' in @, expected timestamp';
  }
  const grouping = groupingOf(before);
  if (grouping === undefined) return '';
  if (grouping === last) return ' in grouping opts, expected "("';
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

/** A token as Prometheus names it. */
function named({ kind, text }: Token): string {
  const lower = text.toLowerCase();
  if (kind === 'end') return 'end of input';
  if (kind === 'word' && KEYWORDS.has(lower)) return `<${text}>`;
  if (kind === 'word' && WORD_OPERATORS.has(lower)) return `<op:${text}>`;
  if (kind === 'word' && AGGREGATORS.has(lower)) return `<aggr:${text}>`;
  if (kind === 'word' && text.includes(':')) return `metric identifier "${text}"`;
  if (kind === 'word') return `identifier "${text}"`;
  if (kind === 'string') return `string ${JSON.stringify(text)}`;
  if (kind === 'op' && !/^[=,:]$/.test(text)) return `<op:${text}>`;
  if (kind === 'op' || kind === 'bracket') return JSON.stringify(text);
  return `${kind} "${text}"`;
}
