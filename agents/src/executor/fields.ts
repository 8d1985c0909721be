/**
 * Reads the fields of one entry of a file that people write, and notes every mistake instead of
 * stopping at the first: what is missing, what is of the wrong kind, and what nobody knows.
 */

import { nearestName } from '@standpipe/plumbing';

const SHOWN_LENGTH_MAX = 60;

export class Fields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #place: string;
  readonly #mistakes: string[];
  readonly #asked = new Set<string>();

  /** `place` begins each mistake, such as `apps[2] (clock)`; mistakes are added to the list. */
  constructor(values: Readonly<Record<string, unknown>>, place: string, mistakes: string[]) {
    this.#values = values;
    this.#place = place;
    this.#mistakes = mistakes;
  }

  /** A text that matches `pattern`, which `rule` says in words. */
  text(
    name: string,
    options: { readonly fallback?: string; readonly pattern: RegExp; readonly rule: string },
  ): string {
    const value = this.#read(name);
    if (value === undefined) {
      if (options.fallback === undefined) this.#mistake(name, 'must be set');
      return options.fallback ?? '';
    }
    const text = typeof value === 'number' ? String(value) : value;
    if (typeof text === 'string' && options.pattern.test(text)) return text;
    this.#wrong(name, value, options.rule);
    return '';
  }

  /** A whole number in a range. */
  count<F extends number | undefined>(
    name: string,
    options: { readonly fallback: F; readonly min: number; readonly max: number },
  ): number | F {
    const value = this.#read(name);
    if (value === undefined) return options.fallback;
    const { min, max } = options;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) {
      return value;
    }
    this.#wrong(name, value, `must be a whole number from ${min} to ${max}`);
    return options.fallback;
  }

  /** A number of bytes, also written as `64M` or `1G`, as Cloud Foundry's manifests do. */
  bytes<F extends number | undefined>(name: string, options: { readonly fallback: F }): number | F {
    const value = this.#read(name);
    if (value === undefined) return options.fallback;
    const bytes = parseBytes(value);
    if (bytes !== undefined) return bytes;
    this.#wrong(name, value, 'must be a number of bytes, such as 65536, 64K, 256M or 1G');
    return options.fallback;
  }

  /** Names with texts, numbers or booleans; all come back as texts. */
  texts(
    name: string,
    options: { readonly pattern: RegExp; readonly rule: string },
  ): Record<string, string> {
    const value = this.#read(name) ?? {};
    if (!isRecord(value)) {
      this.#wrong(name, value, 'must be a map of names and values');
      return {};
    }
    const texts: Record<string, string> = {};
    for (const [key, entry] of Object.entries(value)) {
      const isPlain = ['string', 'number', 'boolean'].includes(typeof entry);
      if (!options.pattern.test(key)) this.#wrong(name, key, options.rule);
      else if (isPlain && !String(entry).includes('\0')) texts[key] = String(entry);
      else this.#wrong(`${name}.${key}`, entry, 'must be a text, a number or a boolean');
    }
    return texts;
  }

  /** Notes each field that was not asked for. Call it last. */
  done(): void {
    for (const name of Object.keys(this.#values)) {
      if (this.#asked.has(name)) continue;
      const meant = nearestName(name, this.#asked);
      this.#mistake(name, `is no field${meant === undefined ? '' : `; did you mean ${meant}?`}`);
    }
  }

  #read(name: string): unknown {
    this.#asked.add(name);
    return this.#values[name] ?? undefined;
  }

  #wrong(name: string, value: unknown, rule: string): void {
    const text = JSON.stringify(value) ?? String(value);
    const shown = text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
    this.#mistake(name, `is ${shown}: it ${rule}`);
  }

  #mistake(name: string, reason: string): void {
    this.#mistakes.push(`${this.#place}: ${name} ${reason}`);
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const UNITS = 'BKMGT';

function parseBytes(value: unknown): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([BKMGT])?(?:i?B)?$/i.exec(String(value));
  if (!match) return undefined;
  const power = UNITS.indexOf((match[2] ?? 'B').toUpperCase());
  const bytes = Math.round(Number(match[1]) * 1024 ** power);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
