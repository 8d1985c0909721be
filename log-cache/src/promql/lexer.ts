/**
 * Prometheus' lexer, as far as it takes to word mistakes as Prometheus does: it is asked for tokens
 * only of what the grammar has refused.
 *
 *     x{a="b"}[5m] + 1   ──▶   x  {  a  =  "b"  }  [  5m  ]  +  1
 *
 * What it refuses by itself (a character, a string without end, a bracket without its pair) is the
 * mistake, whatever else is wrong.
 */

import { Mistake } from './errors.ts';
import { durationMistake, numberMistake, parseDuration, parseNumber } from './literals.ts';

export interface Token {
  readonly kind: 'word' | 'number' | 'duration' | 'string' | 'op' | 'bracket' | 'end';
  readonly text: string;
  readonly from: number;
}

const SPACE = /(?:[\s]|#[^\n]*)*/y;
const STRING = /"(?:[^\\\n"]|\\.)*"|'(?:[^\\\n']|\\.)*'|`[^`]*`/y;
/** As far as they go: behind a good one there is no letter nor digit. */
const DURATION = /[\d.]*[smhdwy]s?(?:\d+[smhdw]s?)*/y;
const NUMBER = /0x[0-9a-f]*(?:\.[0-9a-f]*)?|\d*\.?\d*(?:e[+-]?\d*)?/iy;
const WORD = /[a-z_:][\w:]*/iy;
const WORD_IN_BRACES = /[a-z_]\w*/iy;
const OPERATOR = /==|!=|<=|>=|[-+*/%^=<>@,:]/y;
const OPERATOR_IN_BRACES = /=~|!=|!~|[=,]/y;

export class Lexer {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #inBraces = false;
  #inBrackets = false;
  #hasColon = false;
  #isRangeNext = false;
  #isEmpty = true;

  constructor(text: string) {
    this.#text = text;
  }

  get inBraces(): boolean {
    return this.#inBraces;
  }

  /** The next token; at the end one without text, again and again. Throws a Mistake. */
  next(): Token {
    this.#at += this.#match(SPACE).length;
    const from = this.#at;
    if (this.#isRangeNext) this.#checkRange();
    const token = from >= this.#text.length ? this.#end() : this.#token();
    this.#at = from + token.text.length;
    this.#isEmpty = false;
    return token;
  }

  #token(): Token {
    const from = this.#at;
    const char = String.fromCodePoint(this.#text.codePointAt(from) ?? 0);
    if (char === '"' || char === "'" || char === '`') return this.#string(char);
    if (this.#inBraces) return this.#tokenInBraces(char);
    if ('()[]{}'.includes(char)) return this.#bracket(char);
    if (char === ':' && this.#inBrackets) return this.#colon();
    if (/[\d.]/.test(char) && /^\.?\d/.test(this.#text.slice(from, from + 2))) {
      return this.#number();
    }
    this.#checkPaired(char);
    const word = this.#match(WORD);
    if (word !== '') return { kind: isNumberWord(word) ? 'number' : 'word', text: word, from };
    const operator = this.#match(OPERATOR);
    if (operator !== '') return { kind: 'op', text: operator, from };
    throw new Mistake(from, `unexpected character: ${quoted(char)}`);
  }

  /** Characters that are only one half of an operator. */
  #checkPaired(char: string): void {
    const next = this.#charBehind();
    const isHalf = (char === '!' && next !== '=') || (char === '=' && next === '~');
    if (isHalf)
      throw new Mistake(this.#at, `unexpected character after '${char}': ${quoted(next)}`);
  }

  /** The next but one; what stands for the end is Go's. */
  #charBehind(): string {
    const code = this.#text.codePointAt(this.#at + 1);
    return code === undefined ? '\ufffd' : String.fromCodePoint(code);
  }

  #tokenInBraces(char: string): Token {
    const from = this.#at;
    if (char === '}') {
      this.#inBraces = false;
      return { kind: 'bracket', text: char, from };
    }
    if (char === '{') throw new Mistake(from, "unexpected left brace '{'");
    const operator = this.#match(OPERATOR_IN_BRACES);
    if (operator !== '') return { kind: 'op', text: operator, from };
    const word = this.#match(WORD_IN_BRACES);
    if (word !== '') return { kind: 'word', text: word, from };
    if (char !== '!')
      throw new Mistake(from, `unexpected character inside braces: ${quoted(char)}`);
    const next = quoted(this.#charBehind());
    throw new Mistake(from, `unexpected character after '!' inside braces: ${next}`);
  }

  #string(quote: string): Token {
    const from = this.#at;
    const text = this.#match(STRING);
    if (text !== '') return { kind: 'string', text, from };
    if (quote === '`') throw new Mistake(from, 'unterminated raw string');
    const isCut = /(?<!\\)(?:\\\\)*\\$/.test(this.#text);
    throw new Mistake(
      from,
      isCut ? 'escape sequence not terminated' : 'unterminated quoted string',
    );
  }

  #bracket(char: string): Token {
    const from = this.#at;
    switch (char) {
      case '(':
        this.#depth += 1;
        break;
      case ')':
        this.#depth -= 1;
        if (this.#depth < 0) throw new Mistake(from + 1, "unexpected right parenthesis ')'");
        break;
      case '{':
        this.#inBraces = true;
        break;
      case '}':
        throw new Mistake(from, "unexpected character: '}'");
      case '[':
        if (this.#inBrackets) throw new Mistake(from, "unexpected left bracket '['");
        this.#inBrackets = true;
        this.#hasColon = false;
        this.#isRangeNext = true;
        break;
      default:
        if (!this.#inBrackets) throw new Mistake(from, "unexpected right bracket ']'");
        this.#inBrackets = false;
    }
    return { kind: 'bracket', text: char, from };
  }

  /** A range begins with a duration, or with a plain number, as it may since. */
  #checkRange(): void {
    this.#isRangeNext = false;
    const start = this.#text.slice(this.#at, this.#at + 2);
    if (/^-\d/.test(start)) return;
    if (!/^\w/.test(start)) throw new Mistake(this.#at, 'missing unit character in duration');
    if (this.#isCut(this.#match(NUMBER))) this.#duration('bad duration syntax');
  }

  #colon(): Token {
    if (this.#hasColon) throw new Mistake(this.#at, "unexpected colon ':'");
    this.#hasColon = true;
    return { kind: 'op', text: ':', from: this.#at };
  }

  #number(): Token {
    const from = this.#at;
    const text = this.#match(NUMBER);
    if (this.#isCut(text)) return this.#duration('bad number or duration syntax');
    if (parseNumber(text) !== undefined) return { kind: 'number', text, from };
    throw new Mistake(from, numberMistake(text));
  }

  #duration(mistake: string): Token {
    const from = this.#at;
    const text = this.#match(DURATION);
    if (text === '' || this.#isCut(text)) {
      const seen = text === '' ? this.#match(NUMBER) : text + this.#text.charAt(from + text.length);
      throw new Mistake(from, `${mistake}: ${JSON.stringify(seen)}`);
    }
    if (parseDuration(text) === undefined) {
      throw new Mistake(from, durationMistake(text));
    }
    return { kind: 'duration', text, from };
  }

  #end(): Token {
    const from = this.#text.length;
    if (this.#isEmpty) throw new Mistake(0, 'no expression found in input');
    if (this.#inBraces) throw new Mistake(from, 'unexpected end of input inside braces');
    if (this.#inBrackets) throw new Mistake(from, 'unclosed left bracket');
    if (this.#depth > 0) throw new Mistake(from, 'unclosed left parenthesis');
    return { kind: 'end', text: '', from };
  }

  /** Whether what follows is a letter or digit. */
  #isCut(text: string): boolean {
    return /\w/.test(this.#text.charAt(this.#at + text.length));
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#text)?.[0] ?? '';
  }
}

/** A character as Go's `%q` tells it. */
function quoted(char: string): string {
  if (char === "'") return "'\\''";
  const plain = JSON.stringify(char).slice(1, -1);
  return `'${char === '"' ? char : plain.replace(/^\\u00(?=[01])/, '\\x')}'`;
}

function isNumberWord(word: string): boolean {
  return /^(?:inf|nan)$/i.test(word);
}
