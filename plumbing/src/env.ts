/**
 * Settings from environment variables.
 *
 * A config.ts asks for each of its variables once and then calls `done`, which throws one
 * ConfigError with every mistake in it: what is missing, what is out of range, and each variable
 * that looks like a misspelling of one that was asked for. An empty variable counts as unset.
 * Values of variables whose name speaks of a secret never appear in a message.
 *
 * What an original would start with although it looks like a mistake is warned of, so that an
 * existing deployment starts with the settings that it has.
 */

import { formatAddress, parseAddress } from './address.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { createLogger, type Log } from './log.ts';
import { SHARED_NAMES } from './shared-names.ts';
import { nearestName } from './spelling.ts';

export class ConfigError extends Error {
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(
      mistakes.length === 1
        ? `bad settings: ${mistakes[0]}`
        : `bad settings:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`,
    );
    this.name = 'ConfigError';
    this.mistakes = mistakes;
  }
}

export interface EnvOptions {
  /** Variables that others read, and that are therefore no misspellings of ours. */
  readonly exempt?: readonly string[];
  /** Who hears of what is odd, but no mistake. Default: the process's log. */
  readonly log?: Pick<Log, 'warn'>;
}

const SECRET = /SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIAL|API_?KEY|PRIVATE_KEY$/;
const SHOWN_LENGTH_MAX = 80;

export class Env {
  readonly #vars: Readonly<NodeJS.ProcessEnv>;
  readonly #exempt: ReadonlySet<string>;
  readonly #log: Pick<Log, 'warn'> | undefined;
  readonly #asked = new Set<string>();
  readonly #mistakes: string[] = [];
  readonly #warnings: string[] = [];

  constructor(vars: Readonly<NodeJS.ProcessEnv>, options: EnvOptions = {}) {
    this.#vars = vars;
    this.#exempt = new Set([...SHARED_NAMES, ...(options.exempt ?? [])]);
    this.#log = options.log;
  }

  /** Any text. Without a fallback, it must be set. */
  text(name: string, options: { readonly fallback?: string } = {}): string {
    const value = this.#read(name);
    if (value !== undefined) return value;
    if (options.fallback === undefined) this.#missing(name);
    return options.fallback ?? '';
  }

  /** Any text, or undefined when it isn't set. */
  optional(name: string): string | undefined {
    return this.#read(name);
  }

  /** One of a few words. */
  choice<const T extends string>(
    name: string,
    options: { readonly fallback?: T; readonly among: readonly [T, ...T[]] },
  ): T {
    const { among, fallback } = options;
    const value = this.#read(name);
    if (value === undefined) {
      if (fallback === undefined) this.#missing(name);
      return fallback ?? among[0];
    }
    const found = among.find((word) => word === value);
    if (found === undefined) this.#wrong(name, value, `must be one of ${among.join(', ')}`);
    return found ?? among[0];
  }

  /** A whole number in a range. */
  count(
    name: string,
    options: { readonly fallback?: number; readonly min: number; readonly max: number },
  ): number {
    const { fallback, min, max } = options;
    const value = this.#read(name);
    if (value === undefined) {
      if (fallback === undefined) this.#missing(name);
      return fallback ?? min;
    }
    const number = /^-?\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= min && number <= max) return number;
    this.#wrong(name, value, `must be a whole number from ${min} to ${max}`);
    return fallback ?? min;
  }

  /**
   * True for `true` or `1`; false for `false` or `0`. Anything else is false as well, as in the
   * originals, with a warning; a flag that no original has is `strict`, and then it is a mistake.
   */
  flag(
    name: string,
    options: { readonly fallback?: boolean; readonly strict?: boolean } = {},
  ): boolean {
    const value = this.#read(name);
    if (value === undefined) return options.fallback ?? false;
    if (value === 'true' || value === '1') return true;
    if (value === 'false' || value === '0') return false;
    if (options.strict) this.#wrong(name, value, 'must be true, false, 1 or 0');
    else
      this.warning(name, `is ${shown(name, value)}, which is taken for false; true is true or 1`);
    return false;
  }

  /** Parts between commas, without blanks around them; empty parts are left out. */
  list(name: string, options: { readonly fallback?: readonly string[] } = {}): readonly string[] {
    const value = this.#read(name);
    if (value === undefined) {
      if (options.fallback === undefined) this.#missing(name);
      return options.fallback ?? [];
    }
    return partsOf(value);
  }

  /** `key:value` between commas, cut at the first colon. Unset is empty. */
  map(name: string): ReadonlyMap<string, string> {
    const pairs = new Map<string, string>();
    for (const part of partsOf(this.#read(name) ?? '')) {
      const colon = part.indexOf(':');
      if (colon < 1) this.#wrong(name, part, 'must be key:value between commas');
      else pairs.set(part.slice(0, colon).trim(), part.slice(colon + 1).trim());
    }
    return pairs;
  }

  /** A Go duration (`1h30m`, `500ms`) in milliseconds. */
  duration(
    name: string,
    options: { readonly fallback: string; readonly min?: string; readonly max?: string },
  ): number {
    const fallbackMs = parsed(options.fallback);
    const minMs = options.min === undefined ? 0 : parsed(options.min);
    const maxMs = options.max === undefined ? Number.POSITIVE_INFINITY : parsed(options.max);
    const value = this.#read(name);
    if (value === undefined) return fallbackMs;
    const ms = parseDuration(value);
    if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
    const range = Number.isFinite(maxMs)
      ? ` from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`
      : ` of at least ${formatDuration(minMs)}`;
    this.#wrong(name, value, `must be a duration such as 500ms or 1h30m,${range}`);
    return fallbackMs;
  }

  /**
   * `host:port`. An address to listen on may leave the host out, which Go's programs read as
   * every interface; it then comes back as `0.0.0.0:port`.
   */
  address(
    name: string,
    options: { readonly fallback?: string; readonly listen?: boolean } = {},
  ): string {
    const value = this.#read(name) ?? options.fallback;
    if (value === undefined) {
      this.#missing(name);
      return '';
    }
    if (value === '') return ''; // A fallback of '' is an address that may be left out.
    const address = parseAddress(value);
    if (address !== undefined && (address.host !== '' || options.listen === true)) {
      return address.host === '' ? formatAddress({ ...address, host: '0.0.0.0' }) : value;
    }
    this.#wrong(name, value, 'must be HOST:PORT with a port from 0 to 65535');
    return value;
  }

  /** `host:port` between commas. */
  addresses(
    name: string,
    options: { readonly fallback?: readonly string[] } = {},
  ): readonly string[] {
    const addresses = this.list(name, options);
    for (const address of addresses) {
      if ((parseAddress(address)?.host ?? '') !== '') continue;
      this.#wrong(name, address, 'must be HOST:PORT between commas, ports from 0 to 65535');
    }
    return addresses;
  }

  /** For a check that is a config's own: notes a mistake about a variable. */
  mistake(name: string, reason: string): void {
    this.#asked.add(name);
    this.#mistakes.push(`${name} ${reason}`);
  }

  /** The same for what is odd, but lets a process start. */
  warning(name: string, text: string): void {
    this.#asked.add(name);
    this.#warnings.push(`${name} ${text}`);
  }

  /** Throws one ConfigError with all mistakes, if there are any; else logs all warnings. */
  done(): void {
    const mistakes = [...this.#mistakes, ...this.#misspelt()];
    if (mistakes.length > 0) throw new ConfigError(mistakes);
    if (this.#warnings.length === 0) return;
    const log = this.#log ?? createLogger('settings');
    for (const warning of this.#warnings.splice(0)) log.warn({}, warning);
  }

  #misspelt(): readonly string[] {
    const mistakes: string[] = [];
    for (const name of Object.keys(this.#vars)) {
      if ((this.#vars[name] ?? '') === '') continue;
      if (this.#asked.has(name) || this.#exempt.has(name)) continue;
      const meant = nearestName(name, this.#asked);
      if (meant !== undefined) mistakes.push(`${name} is no setting; did you mean ${meant}?`);
    }
    return mistakes;
  }

  #read(name: string): string | undefined {
    this.#asked.add(name);
    const value = this.#vars[name]?.trim();
    return value === undefined || value === '' ? undefined : value;
  }

  #missing(name: string): void {
    this.#mistakes.push(`${name} must be set`);
  }

  #wrong(name: string, value: string, rule: string): void {
    this.#mistakes.push(`${name} is ${shown(name, value)}: it ${rule}`);
  }
}

function partsOf(value: string): readonly string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function shown(name: string, value: string): string {
  if (SECRET.test(name)) return '(not shown)';
  const told = value.replace(/\/\/[^/@\s]+@/, '//(not shown)@');
  return JSON.stringify(
    told.length > SHOWN_LENGTH_MAX ? `${told.slice(0, SHOWN_LENGTH_MAX)}…` : told,
  );
}

/** A duration that stands in our own code; that it parses is ours to keep. */
function parsed(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new Error(`not a duration: ${text}`);
  return ms;
}
