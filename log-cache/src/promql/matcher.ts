/**
 * One label matcher: `=`, `!=`, `=~` or `!~`. A label that is not there is an empty one.
 *
 * Expressions are RE2's, anchored, and linear in time; but thousands of instructions over long
 * values are slow all the same, so each value is matched once and an expression has a length.
 */

import { RE2JS, RE2JSException } from 're2js';
import { failed } from './errors.ts';

export type MatchOp = '=' | '!=' | '=~' | '!~';

/** An expression that can't be used; the message is Go's. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
}

const PATTERN_LENGTH_MAX = 8192;
const VERDICTS_MAX = 10_000;
/** Instructions of an expression times length of a value: a match of so much takes a second. */
const MATCH_WORK_MAX = 10_000_000;

/** A whole-value expression, compiled once. */
export class Pattern {
  readonly #compiled: RE2JS;

  constructor(pattern: string) {
    if (pattern.length > PATTERN_LENGTH_MAX) {
      throw new PatternError('error parsing regexp: expression too large');
    }
    try {
      this.#compiled = RE2JS.compile(`^(?:${pattern})$`);
    } catch (error) {
      if (!(error instanceof RE2JSException)) throw error;
      throw new PatternError(error.message, { cause: error });
    }
  }

  matches(value: string): boolean {
    this.#check(value);
    return this.#compiled.matcher(value).find();
  }

  /** The groups of a match by number and by name; undefined, if there is none. */
  groups(value: string): ((name: string) => string) | undefined {
    this.#check(value);
    const matcher = this.#compiled.matcher(value);
    if (!matcher.find()) return undefined;
    const named = this.#compiled.namedGroups() as Readonly<Record<string, number>>;
    return (name) => {
      const index = /^\d+$/.test(name) ? Number(name) : (named[name] ?? -1);
      if (index < 0 || index > matcher.groupCount()) return '';
      return matcher.group(index) ?? '';
    };
  }

  #check(value: string): void {
    if (this.#compiled.programSize() * value.length > MATCH_WORK_MAX) {
      throw failed('a regular expression takes too long to match: ask more simply');
    }
  }
}

/** A character that stands for itself in an expression. */
const ESCAPED = /\\([\\.+*?()|[\]{}^$-])/g;

/** An expression that only these values match. */
export function oneOf(values: readonly string[]): string {
  return values.map((value) => value.replaceAll(/[\\.+*?()|[\]{}^$]/g, '\\$&')).join('|');
}

export class Matcher {
  readonly name: string;
  readonly op: MatchOp;
  readonly value: string;
  readonly #pattern: Pattern | undefined;
  readonly #verdicts = new Map<string, boolean>();

  /** Throws a PatternError. */
  constructor(name: string, op: MatchOp, value: string) {
    this.name = name;
    this.op = op;
    this.value = value;
    if (op === '=~' || op === '!~') this.#pattern = new Pattern(value);
  }

  matches(value: string): boolean {
    if (this.op === '=') return value === this.value;
    if (this.op === '!=') return value !== this.value;
    const known = this.#verdicts.get(value);
    if (known !== undefined) return known;
    const verdict = this.#pattern?.matches(value) === (this.op === '=~');
    if (this.#verdicts.size < VERDICTS_MAX) this.#verdicts.set(value, verdict);
    return verdict;
  }

  /** The only values that can match, if the matcher names them: `="a"` or `=~"a|b"`. */
  get literals(): readonly string[] | undefined {
    if (this.op === '=') return [this.value];
    if (this.op !== '=~') return undefined;
    const parts = this.value.split(/(?<!\\)\|/).map((part) => part.replaceAll(ESCAPED, '$1'));
    const plain = this.value.replaceAll(ESCAPED, '');
    return /[\\.+*?()[\]{}^$]/.test(plain) ? undefined : parts;
  }

  toString(): string {
    return `${this.name}${this.op}${JSON.stringify(this.value)}`;
  }
}
