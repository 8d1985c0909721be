/**
 * Log lines of a process: JSON on stderr, written by pino; or text, for those who set how the
 * original's lines begin (log-text.ts).
 *
 * Writing is synchronous, so nothing is lost when a process ends, and so nothing may be written for
 * each message that passes: what can happen often goes through `limited`, which writes at most one line in ten
 * seconds for each key and says how many it left out. Past KEYS_MAX keys, all others share one.
 */

import { type Logger, pino } from 'pino';
import { type LogFormat, logFormat, textLine } from './log-text.ts';

/** Facts of a log line. An error goes by the name `err` or `error`. */
export type Fields = Readonly<Record<string, unknown>>;

export type LogLevel = 'info' | 'warn' | 'error';

export interface Log {
  debug(fields: Fields, text: string): void;
  info(fields: Fields, text: string): void;
  warn(fields: Fields, text: string): void;
  error(fields: Fields, text: string): void;
  /** Writes at most one line in ten seconds per key, and how many were left out before it. */
  limited(key: string, level: LogLevel, fields: Fields, text: string): void;
  /** The same log with facts that all its lines carry. */
  child(fields: Fields): Log;
}

export interface LoggerOptions {
  /** Default: the variable LOG_LEVEL, else info. */
  readonly level?: string;
  /** Default: stderr. */
  readonly destination?: { write(line: string): void };
  /** Default: what the variable USE_RFC339 or USE_RFC3339 asks for, else JSON. */
  readonly format?: LogFormat;
}

export const LOG_INTERVAL_MS: number = 10_000;
const KEYS_MAX = 1000;
const LEVELS: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
const STDERR = 2;

/** Whether LOG_LEVEL may be `level`. */
export function isLogLevel(level: string): boolean {
  return LEVELS.includes(level);
}

/**
 * The log of one process or of one of its parts. LOG_LEVEL says from which level on, USE_RFC339
 * (which the agent's original spells rightly) in which of the original's forms.
 */
export function createLogger(name: string, options: LoggerOptions = {}): Log {
  const asked = (options.level ?? process.env.LOG_LEVEL ?? '').toLowerCase();
  const level = isLogLevel(asked) ? asked : 'info';
  const { USE_RFC339, USE_RFC3339 } = process.env;
  const format = options.format ?? logFormat(USE_RFC339 ?? USE_RFC3339);
  const lines = options.destination ?? pino.destination({ fd: STDERR, sync: true });
  const destination =
    format === 'json'
      ? lines
      : { write: (line: string): void => void lines.write(textLine(line, format)) };
  const logger = pino(
    { name, level, base: { name }, timestamp: pino.stdTimeFunctions.isoTime, errorKey: 'error' },
    destination,
  );
  const log = new PinoLog(logger, new Limiter(() => Date.now()));
  if (asked !== '' && asked !== level) {
    log.warn({ asked }, `LOG_LEVEL must be one of ${LEVELS.join(', ')}; info is used`);
  }
  return log;
}

class PinoLog implements Log {
  readonly #logger: Logger;
  readonly #limiter: Limiter;

  constructor(logger: Logger, limiter: Limiter) {
    this.#logger = logger;
    this.#limiter = limiter;
  }

  debug(fields: Fields, text: string): void {
    this.#logger.debug(fields, text);
  }

  info(fields: Fields, text: string): void {
    this.#logger.info(fields, text);
  }

  warn(fields: Fields, text: string): void {
    this.#logger.warn(fields, text);
  }

  error(fields: Fields, text: string): void {
    this.#logger.error(fields, text);
  }

  limited(key: string, level: LogLevel, fields: Fields, text: string): void {
    const leftOut = this.#limiter.admit(key);
    if (leftOut === undefined) return;
    this.#logger[level](leftOut > 0 ? { ...fields, left_out: leftOut } : fields, text);
  }

  child(fields: Fields): Log {
    return new PinoLog(this.#logger.child(fields), this.#limiter);
  }
}

/** Decides which lines of a kind are written. Exported for its test. */
export class Limiter {
  readonly #now: () => number;
  readonly #kinds = new Map<string, { writtenAt: number; leftOut: number }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** How many lines of this kind were left out before this one; undefined: leave this out too. */
  admit(key: string): number | undefined {
    const known = this.#kinds.has(key) || this.#kinds.size < KEYS_MAX;
    const kindKey = known ? key : 'others';
    const now = this.#now();
    const kind = this.#kinds.get(kindKey);
    if (kind === undefined) {
      this.#kinds.set(kindKey, { writtenAt: now, leftOut: 0 });
      return 0;
    }
    if (now - kind.writtenAt < LOG_INTERVAL_MS) {
      kind.leftOut += 1;
      return undefined;
    }
    const { leftOut } = kind;
    kind.writtenAt = now;
    kind.leftOut = 0;
    return leftOut;
  }
}
