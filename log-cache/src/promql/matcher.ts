/**
 * One label matcher: `=`, `!=`, `=~` or `!~`. A label that is not there is an empty one.
 *
 * Expressions are RE2's, anchored, and linear in time; but thousands of instructions over long
 * values are slow all the same, so each value is matched once and an expression has a length. One
 * that only lists values (`a|b`) is looked up instead, however many they are.
 */

import type { RE2JS } from 're2js';
import { compiled, PatternError } from '../pattern.ts';
import { failed } from './errors.ts';

export type MatchOp = '=' | '!=' | '=~' | '!~';

const VERDICTS_MAX = 10_000;
/** Instructions of an expression times length of a value: a match of so much takes 60 ms at worst. */
const MATCH_WORK_MAX = 500_000;

/** All expressions of one request together: compiling so much takes a tenth of a second. */
const SIZES_MAX = 20_000;
/** What compiling costs, in steps of work for each instruction. */
export const COMPILING_WORK = 8;

/** The expressions of one request are too large together. */
export class PatternSizesError extends PatternError {
  constructor() {
    super('there are too many, or too large, regular expressions');
  }
}

/** Bounds what compiling a request's expressions may take. Throws a PatternSizesError. */
export class PatternSizes {
  #sum = 0;

  /** How many instructions they have. */
  get sum(): number {
    return this.#sum;
  }

  add({ size }: { readonly size: number }): void {
    this.#sum += size;
    if (this.#sum > SIZES_MAX) throw new PatternSizesError();
  }
}

/** A whole-value expression, compiled once. */
export class Pattern {
  readonly #compiled: RE2JS;
  #work = 0;

  /** Throws a PatternError. */
  constructor(pattern: string) {
    this.#compiled = compiled(`^(?:${pattern})$`);
  }

  /** How many instructions it has. */
  get size(): number {
    return this.#compiled.programSize();
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
    const named = new Map(Object.entries<number>(this.#compiled.namedGroups()));
    return (name) => {
      const index = /^\d+$/.test(name) ? Number(name) : (named.get(name) ?? -1);
      if (index < 0 || index > matcher.groupCount()) return '';
      return matcher.group(index) ?? '';
    };
  }

  /** Steps of work that were done since this was last asked. */
  takeWork(): number {
    const work = this.#work;
    this.#work = 0;
    return work;
  }

  #check(value: string): void {
    const work = this.#compiled.programSize() * value.length;
    if (work > MATCH_WORK_MAX) {
      throw failed('a regular expression takes too long to match: ask more simply');
    }
    this.#work += work;
  }
}

/** An expression that only these values match. */
export function oneOf(values: readonly string[]): string {
  return values.map((value) => value.replaceAll(/[\\.+*?()|[\]{}^$]/g, '\\$&')).join('|');
}

export class Matcher {
  readonly name: string;
  readonly op: MatchOp;
  readonly value: string;
  /** The only values that can match, if the matcher names them: `="a"` or `=~"a|b"`. */
  readonly literals: readonly string[] | undefined;
  readonly #listed: ReadonlySet<string> | undefined;
  readonly #pattern: Pattern | undefined;
  #verdicts: Map<string, boolean> | undefined;

  /** Throws a PatternError. */
  constructor(name: string, op: MatchOp, value: string) {
    this.name = name;
    this.op = op;
    this.value = value;
    if (op === '=') this.literals = [value];
    if (op === '=' || op === '!=') return;
    const listed = listedIn(value);
    if (op === '=~') this.literals = listed;
    if (listed === undefined) this.#pattern = new Pattern(value);
    else this.#listed = new Set(listed);
  }

  matches(value: string): boolean {
    if (this.op === '=') return value === this.value;
    if (this.op === '!=') return value !== this.value;
    const isWanted = this.op === '=~';
    if (this.#listed !== undefined) return this.#listed.has(value) === isWanted;
    this.#verdicts ??= new Map();
    const known = this.#verdicts.get(value);
    if (known !== undefined) return known;
    const verdict = this.#pattern?.matches(value) === isWanted;
    if (this.#verdicts.size < VERDICTS_MAX) this.#verdicts.set(value, verdict);
    return verdict;
  }

  /** How many instructions its expression has, if it is one that is matched. */
  get size(): number {
    return this.#pattern?.size ?? 0;
  }

  /** Steps of work that matching has taken since this was last asked. */
  takeWork(): number {
    return this.#pattern?.takeWork() ?? 0;
  }

  toString(): string {
    return `${this.name}${this.op}${JSON.stringify(this.value)}`;
  }
}

const META = /[.+*?()[\]{}^$]/;

/**
 * The values that an expression lists, if it does nothing else: `a|b\\.c` lists `a` and `b.c`. Where
 * dots stand for themselves `a|b.c` lists them as well.
 */
export function listedIn(
  pattern: string,
  { literalDots = false }: { readonly literalDots?: boolean } = {},
): readonly string[] | undefined {
  const values: string[] = [''];
  for (let at = 0; at < pattern.length; at += 1) {
    const char = pattern.charAt(at);
    if (char === '|') {
      values.push('');
      continue;
    }
    if (META.test(char) && !(literalDots && char === '.')) return undefined;
    const isEscape = char === '\\';
    if (isEscape) at += 1;
    const own = isEscape ? pattern.charAt(at) : char;
    // A letter or digit behind a backslash stands for something else.
    if (isEscape && !/^[!-/:-@[-`{-~]$/.test(own)) return undefined;
    values[values.length - 1] += own;
  }
  return values;
}
