/**
 * Files that hold certificates, looked at every few seconds while somebody follows them.
 *
 *     files ── read ──▶ as last taken?  ──▶ nothing
 *                 └───▶ seen once       ──▶ looked at again: it may be half written
 *                 └───▶ seen twice      ──▶ will do: taken, followers are told
 *                                      └──▶ will not: told and counted once, the old stays
 *
 * What counts is what stands in the files, so a symbolic link that is turned, a file that is put in
 * another's place and one that is written over are the same. What will not do is tried again at
 * each look, for a certificate can become valid. A look costs three small reads, in no hot path.
 */

import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type CheckedPem, checkPem, type Pem, type PemFiles, unreadable } from './certificates.ts';
import type { Log } from './log.ts';
import type { Counter, Metrics } from './metrics.ts';

const POLL_MS_DEFAULT = 3000;
const DAY_MS = 24 * 60 * 60 * 1000;
const WARN_BEFORE_MS = 7 * DAY_MS;

/** Who is told of what becomes of the files. */
export interface TlsReport {
  readonly log?: Log;
  readonly metrics?: Metrics | undefined;
}

export interface TlsSourceOptions extends TlsReport {
  readonly now?: () => number;
  /** How often the files are looked at while they are followed. Default 3 s. */
  readonly pollMs?: number;
}

/** What a look found: PEM, or why there is none; and both as a text to compare by. */
interface Look {
  readonly text: string;
  readonly pem?: Pem;
  readonly error?: Error;
}

export class TlsSource {
  readonly #files: PemFiles;
  /** The file that all are known by. */
  readonly #name: string;
  readonly #now: () => number;
  readonly #pollMs: number;
  readonly #followers = new Set<(pem: Pem) => void>();
  #checked: CheckedPem;
  /** What the files said when they were taken, when they were last looked at, and when refused. */
  #takenText: string;
  #lastText: string;
  #refusedText = '';
  #timer: NodeJS.Timeout | undefined;
  #log: Log | undefined;
  #reloads: { readonly taken: Counter; readonly refused: Counter } | undefined;
  #warnedAt = Number.NEGATIVE_INFINITY;

  /** Reads the files. Throws a TlsError. */
  constructor(files: PemFiles, options: TlsSourceOptions = {}) {
    this.#files = files;
    this.#name = files.cert ?? files.ca ?? '';
    this.#now = options.now ?? Date.now;
    this.#pollMs = options.pollMs ?? POLL_MS_DEFAULT;
    const pem: Record<string, Buffer> = {};
    for (const [part, file] of Object.entries(files)) {
      try {
        pem[part] = readFileSync(file);
      } catch (error) {
        throw unreadable(file, error);
      }
    }
    this.#checked = checkPem(files, pem, this.#now());
    this.#takenText = textOf(pem);
    this.#lastText = this.#takenText;
    this.#report(options);
  }

  /** What holds now. */
  get pem(): Pem {
    return this.#checked.pem;
  }

  /** Says what the files say from now on, until what is returned is disposed of. */
  follow(follower: (pem: Pem) => void, report: TlsReport = {}): Disposable {
    this.#report(report);
    const entry = (pem: Pem): void => follower(pem);
    this.#followers.add(entry);
    this.#schedule();
    return {
      [Symbol.dispose]: () => {
        this.#followers.delete(entry);
        if (this.#followers.size > 0) return;
        clearTimeout(this.#timer);
        this.#timer = undefined;
      },
    };
  }

  /** The first that has a log or metrics is the one that is told. */
  #report({ log, metrics }: TlsReport): void {
    this.#log ??= log;
    if (metrics === undefined || this.#reloads !== undefined) return;
    const help = 'Certificates that changed in their files: taken, or refused for the old ones.';
    this.#reloads = {
      taken: metrics.counter('certificate_reloads', help, { result: 'taken' }),
      refused: metrics.counter('certificate_reloads', help, { result: 'refused' }),
    };
    metrics.gauge('certificate_expires_in', 'How long a certificate is valid yet.', {
      unit: 's',
      labels: { file: this.#name },
      read: () => Math.round((this.#checked.expiresAt - this.#now()) / 1000),
    });
  }

  #schedule(): void {
    this.#warnOfExpiry();
    if (this.#timer !== undefined) return;
    const timer = setTimeout(() => {
      void this.#look().then((look) => {
        if (this.#timer !== timer) return; // Nobody follows any more, or somebody does anew.
        this.#timer = undefined;
        this.#consider(look);
        if (this.#followers.size > 0) this.#schedule();
      });
    }, this.#pollMs).unref();
    this.#timer = timer;
  }

  async #look(): Promise<Look> {
    const pem: Record<string, Buffer> = {};
    for (const [part, file] of Object.entries(this.#files)) {
      try {
        pem[part] = await readFile(file);
      } catch (cause) {
        const error = unreadable(file, cause);
        return { text: error.message, error };
      }
    }
    return { text: textOf(pem), pem };
  }

  #consider({ text, pem, error }: Look): void {
    const isSettled = text === this.#lastText;
    this.#lastText = text;
    if (text === this.#takenText || !isSettled) return;
    try {
      if (pem === undefined) throw error;
      this.#checked = checkPem(this.#files, pem, this.#now());
    } catch (refusal) {
      if (text === this.#refusedText) return;
      this.#refusedText = text;
      this.#reloads?.refused.add(1);
      this.#log?.error({ error: refusal }, 'changed certificates will not do, the old ones stay');
      return;
    }
    this.#takenText = text;
    this.#refusedText = '';
    this.#warnedAt = Number.NEGATIVE_INFINITY;
    this.#reloads?.taken.add(1);
    const expires = isoDate(this.#checked.expiresAt);
    this.#log?.info({ file: this.#name, expires }, 'certificates were changed');
    for (const follower of this.#followers) follower(this.pem);
  }

  /** Once a day in the last week. */
  #warnOfExpiry(): void {
    const { file, expiresAt } = this.#checked;
    const now = this.#now();
    if (expiresAt - now > WARN_BEFORE_MS || now - this.#warnedAt < DAY_MS) return;
    if (this.#log === undefined) return;
    this.#warnedAt = now;
    this.#log.warn({ file, expires: isoDate(expiresAt) }, 'a certificate will expire soon');
  }
}

function textOf(pem: Readonly<Record<string, Buffer>>): string {
  return Object.values(pem)
    .map((part) => part.toString('latin1'))
    .join('\0');
}

function isoDate(ms: number): string {
  return new Date(ms).toISOString();
}
