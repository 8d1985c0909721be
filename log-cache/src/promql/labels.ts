/**
 * The labels of one series: names and values, sorted by name, none of them empty.
 *
 * Never changed once made. What tells two sets apart is their `key`, made when it is first asked for.
 * Values may be shared by many sets, and keys are not: so a key is short, however long the values are.
 */

import { createHash } from 'node:crypto';
import { quoted } from '../quote.ts';
import { METRIC_NAME } from './names.ts';

/** What has a longer key is known by the key's sum. */
const KEY_LENGTH_MAX = 2048;
/** More names are looked up in a set. */
const FEW_NAMES = 8;

export class Labels {
  /** Names and values in turn. */
  readonly pairs: readonly string[];
  #key: string | undefined;
  #nameless: Labels | undefined;

  private constructor(pairs: readonly string[]) {
    this.pairs = pairs;
  }

  /** Labels in any order; of a name that is there twice the last counts. */
  static of(entries: Iterable<readonly [string, string]>): Labels {
    const sorted = [...new Map(entries)]
      .filter(([, value]) => value !== '')
      .sort(([a], [b]) => compareText(a, b));
    return new Labels(sorted.flat());
  }

  /** Takes names and values in turn as they are: sorted, and none of them empty. */
  static sorted(pairs: readonly string[]): Labels {
    return new Labels(pairs);
  }

  /** The same for equal labels, and for no others. */
  get key(): string {
    this.#key ??= shortened(JSON.stringify(this.pairs));
    return this.#key;
  }

  /** How many characters names and values have in all. */
  get textLength(): number {
    let length = 0;
    for (const text of this.pairs) length += text.length;
    return length;
  }

  get(name: string): string {
    const { pairs } = this;
    for (let index = 0; index < pairs.length; index += 2) {
      if (pairs[index] === name) return pairs[index + 1] ?? '';
    }
    return '';
  }

  *[Symbol.iterator](): Iterator<readonly [string, string]> {
    for (let index = 0; index < this.pairs.length; index += 2) {
      yield [this.pairs[index] ?? '', this.pairs[index + 1] ?? ''];
    }
  }

  with(name: string, value: string): Labels {
    if (value === '') return this.without([name]);
    return Labels.of([...this, [name, value]]);
  }

  /** With all of these; those that are empty are taken away. */
  withAll(entries: Iterable<readonly [string, string]>): Labels {
    return Labels.of([...this, ...entries]);
  }

  without(names: readonly string[]): Labels {
    const isThere = among(names);
    return this.#where((name) => !isThere(name));
  }

  only(names: readonly string[]): Labels {
    return this.#where(among(names));
  }

  /** Without the metric's name. */
  get nameless(): Labels {
    this.#nameless ??= this.without([METRIC_NAME]);
    return this.#nameless;
  }

  compare(other: Labels): number {
    const a = this.pairs;
    const b = other.pairs;
    const length = Math.min(a.length, b.length);
    for (let index = 0; index < length; index += 1) {
      const difference = compareText(a[index] ?? '', b[index] ?? '');
      if (difference !== 0) return difference;
    }
    return a.length - b.length;
  }

  /** As Prometheus tells them in its errors: `{__name__="load", job="a"}`. */
  toString(): string {
    return `{${[...this].map(([name, value]) => `${name}=${quoted(value)}`).join(', ')}}`;
  }

  #where(keeps: (name: string) => boolean): Labels {
    const pairs: string[] = [];
    for (const [name, value] of this) if (keeps(name)) pairs.push(name, value);
    return pairs.length === this.pairs.length ? this : new Labels(pairs);
  }
}

export const NO_LABELS: Labels = Labels.of([]);

/** A query may say thousands of names, and each of its series is asked for them. */
const sets = new WeakMap<readonly string[], ReadonlySet<string>>();

function among(names: readonly string[]): (name: string) => boolean {
  if (names.length <= FEW_NAMES) return (name) => names.includes(name);
  const set = sets.get(names) ?? new Set(names);
  sets.set(names, set);
  return (name) => set.has(name);
}

/** JSON of a list begins with a bracket, which no sum does. */
function shortened(key: string): string {
  return key.length > KEY_LENGTH_MAX ? createHash('sha256').update(key).digest('base64') : key;
}

export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
