/**
 * What tests of every workspace need: certificates, a clock that stands still, a log that
 * remembers, and waiting for something to become true.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type CertificateName, ensureCertificates } from './authority.ts';
import type { Clock } from './clock.ts';
import type { Fields, Log, LogLevel } from './log.ts';
import type { TlsFiles } from './tls.ts';

export { TestDns } from './testing-dns.ts';
export { ManualMembers } from './testing-members.ts';

const EVENTUALLY_LIMIT_MS = 10_000;
const EVENTUALLY_STEP_MS = 5;

let certificateFolder: string | undefined;
let certificatesMade: Promise<void> = Promise.resolve();

type NameOf<N> = N extends { readonly name: infer M extends string } ? M : N & string;

/** Certificates of one authority per process, made when first asked for, removed at exit. */
export async function testTls<const N extends readonly CertificateName[]>(
  ...names: N
): Promise<Record<NameOf<N[number]>, TlsFiles>> {
  const folder = certificateFolder ?? makeCertificateFolder();
  certificatesMade = certificatesMade.then(() => ensureCertificates(folder, names));
  await certificatesMade;
  const files: Record<string, TlsFiles> = {};
  for (const entry of names) {
    const name = typeof entry === 'string' ? entry : entry.name;
    files[name] = {
      ca: join(folder, 'ca.crt'),
      cert: join(folder, `${name}.crt`),
      key: join(folder, `${name}.key`),
    };
  }
  return files;
}

function makeCertificateFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'standpipe-test-'));
  certificateFolder = folder;
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What a value is when it counts as true. */
export type Truthy<T> = Exclude<T, false | null | undefined | 0 | ''>;

/** Waits until `check` gives something true, and returns it; fails with its last error if never. */
export async function eventually<T>(
  check: () => T | Promise<T>,
  options: { readonly timeoutMs?: number; readonly what?: string } = {},
): Promise<Truthy<T>> {
  const limitMs = options.timeoutMs ?? EVENTUALLY_LIMIT_MS;
  const deadline = Date.now() + limitMs;
  for (;;) {
    let failure: unknown;
    try {
      const result = await check();
      if (result) return result as Truthy<T>; // What was just asked.
    } catch (error) {
      failure = error;
    }
    if (Date.now() > deadline) {
      const what = options.what ?? 'what was waited for';
      throw new Error(`${what} did not happen within ${limitMs} ms`, { cause: failure });
    }
    await wait(EVENTUALLY_STEP_MS);
  }
}

/** A clock that only goes when it is told to. */
export class ManualClock implements Clock {
  #now: number;
  readonly #sleepers = new Set<{ readonly until: number; readonly wake: () => void }>();

  constructor(now = 0) {
    this.#now = now;
  }

  /** How many sleep now. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper = {
        until: this.#now + ms,
        wake: () => {
          this.#sleepers.delete(sleeper);
          signal?.removeEventListener('abort', sleeper.wake);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', sleeper.wake);
    });
  }

  /** Moves on, and wakes whoever has slept enough, the earliest first. */
  async advance(ms: number): Promise<void> {
    const target = this.#now + ms;
    for (;;) {
      const [next] = [...this.#sleepers].toSorted((a, b) => a.until - b.until);
      if (next === undefined || next.until > target) break;
      this.#now = Math.max(this.#now, next.until);
      next.wake();
      await wait(0);
    }
    this.#now = target;
  }
}

/** A line that a SpyLog was given. */
export interface LogLine {
  readonly level: 'debug' | LogLevel;
  readonly fields: Fields;
  readonly text: string;
  readonly key?: string;
}

export interface SpyLog extends Log {
  readonly lines: LogLine[];
}

/** A log that keeps its lines and writes none; `limited` leaves nothing out. */
export function spyLog(): SpyLog {
  return spyInto([], {});
}

function spyInto(lines: LogLine[], bound: Fields): SpyLog {
  const at = (level: LogLine['level']) => (fields: Fields, text: string) => {
    lines.push({ level, fields: { ...bound, ...fields }, text });
  };
  return {
    lines,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    limited: (key, level, fields, text) => {
      lines.push({ level, fields: { ...bound, ...fields }, text, key });
    },
    child: (fields) => spyInto(lines, { ...bound, ...fields }),
  };
}
