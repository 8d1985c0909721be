/**
 * Makes envelopes of what one run of an instance writes, and of what the cell has to say about it.
 *
 *     timestamp │ source_id │ log: payload, type │ instance_id │ tags
 *     written     made once   copied from the      made once, for each source type
 *     per line                line's bytes
 *
 * Timestamps rise from envelope to envelope, by a nanosecond at least, so that the order of an
 * instance's lines survives whatever sorts them. An app with a log rate limit may write a second's
 * worth at once; lines beyond that are dropped, counted, and said so in the app's own log, once
 * per stretch, in Diego's words.
 *
 * Hot: a line costs the copy of its bytes into one buffer that is used again and again, so `emit`
 * must copy. The time is asked for once per chunk, not per line.
 */

import {
  encodeVarint,
  encodeVarint64,
  loggregator,
  nowNanoseconds,
  splitTime,
  varintSize,
} from '@standpipe/protos';
import type { App } from './app.ts';
import { LINE_BYTES_MAX, LineSplitter } from './lines.ts';
import { LogRate } from './log-rate.ts';
import type { ExecutorMetrics } from './metrics.ts';

const TIMESTAMP = 0x08; // Field 1, a varint.
const LOG = 0x22; // Field 4, length-delimited.
const PAYLOAD = 0x0a; // Field 1 of Log, length-delimited.
const TYPE_ERR = [0x10, 0x01] as const; // Field 2 of Log, 1; OUT is 0 and left out.
const VARINT_BYTES_MAX = 10;

const LOGGED_BY_CELL = 'CELL';

export interface InstanceLogOptions {
  readonly app: App;
  readonly index: number;
  readonly instanceGuid: string;
  /** Takes a bare Envelope; it must copy the bytes. */
  readonly emit: (envelope: Buffer) => void;
  readonly metrics: ExecutorMetrics;
  /** The time in nanoseconds. Default: now. */
  readonly now?: () => bigint;
}

export class InstanceLog {
  readonly #options: InstanceLogOptions;
  readonly #now: () => bigint;
  readonly #head: Buffer;
  readonly #appTail: Buffer;
  readonly #cellTail: Buffer;
  readonly #rate: LogRate;
  #scratch = Buffer.allocUnsafe(2048);
  #timeHigh = 0;
  #timeLow = 0;
  #lines = 0;
  #isOverLimit = false;

  constructor(options: InstanceLogOptions) {
    const { app, index, instanceGuid } = options;
    const { Envelope } = loggregator.v2;
    const tags = tagsOf(app, index, instanceGuid);
    const tailOf = (sourceType: string): Buffer =>
      Buffer.from(
        Envelope.encode({
          instance_id: String(index),
          tags: { ...tags, source_type: sourceType },
        }).finish(),
      );

    this.#options = options;
    this.#now = options.now ?? nowNanoseconds;
    this.#head = Buffer.from(Envelope.encode({ source_id: app.guid }).finish());
    this.#appTail = tailOf(sourceTypeOf(app));
    this.#cellTail = tailOf(LOGGED_BY_CELL);
    this.#rate = new LogRate(app.logRateLimitBytes);
  }

  /** What takes the bytes of the instance's stdout, or of its stderr. */
  stream(type: 'OUT' | 'ERR'): { push(chunk: Buffer): void; flush(): void } {
    const isError = type === 'ERR';
    const splitter = new LineSplitter((bytes, start, end) =>
      this.#line(isError, bytes, start, end),
    );
    return {
      push: (chunk) => {
        this.#startNow();
        splitter.push(chunk);
        this.#count();
      },
      flush: () => {
        this.#startNow();
        splitter.flush();
        this.#count();
      },
    };
  }

  /** A line in the app's log that stands among its own, such as its exit status. */
  app(text: string): void {
    this.#say(text, this.#appTail);
  }

  /** A line in the app's log about its instance, from the cell. */
  cell(text: string): void {
    this.#say(text, this.#cellTail);
  }

  /** The time now, but later than all that was logged: for envelopes that are made elsewhere. */
  nextTime(): { high: number; low: number } {
    this.#startNow();
    this.#tick();
    return { high: this.#timeHigh, low: this.#timeLow };
  }

  #say(text: string, tail: Buffer): void {
    this.#startNow();
    const bytes = Buffer.from(text);
    this.#emit(false, bytes, 0, Math.min(bytes.length, LINE_BYTES_MAX), tail);
  }

  #line(isError: boolean, bytes: Buffer, start: number, end: number): void {
    this.#lines += 1;
    if (this.#rate.admits(end - start)) {
      this.#isOverLimit = false;
      this.#emit(isError, bytes, start, end, this.#appTail);
      return;
    }
    this.#options.metrics.droppedLines.add(1);
    if (this.#isOverLimit || this.#rate.bytesPerSecond === 0) return;
    this.#isOverLimit = true;
    this.app(`app instance exceeded log rate limit (${this.#rate.bytesPerSecond} bytes/sec)`);
  }

  #emit(isError: boolean, bytes: Buffer, start: number, end: number, tail: Buffer): void {
    const head = this.#head;
    const length = end - start;
    const logLength = 1 + varintSize(length) + length + (isError ? TYPE_ERR.length : 0);
    const room = 1 + VARINT_BYTES_MAX + head.length + 1 + varintSize(logLength) + logLength;
    const into = this.#room(room + tail.length);

    this.#tick();
    into[0] = TIMESTAMP;
    let at = encodeVarint64(into, 1, this.#timeHigh, this.#timeLow);
    at += head.copy(into, at);
    into[at] = LOG;
    at = encodeVarint(into, at + 1, logLength);
    into[at] = PAYLOAD;
    at = encodeVarint(into, at + 1, length);
    at += bytes.copy(into, at, start, end);
    if (isError) {
      into[at++] = TYPE_ERR[0];
      into[at++] = TYPE_ERR[1];
    }
    at += tail.copy(into, at);
    this.#options.emit(into.subarray(0, at));
  }

  #count(): void {
    this.#options.metrics.lines.add(this.#lines);
    this.#lines = 0;
  }

  #room(size: number): Buffer {
    if (this.#scratch.length < size) this.#scratch = Buffer.allocUnsafe(size * 2);
    return this.#scratch;
  }

  /** Goes on from now, unless what was logged last is already later. */
  #startNow(): void {
    const { high, low } = splitTime(this.#now());
    if (high < this.#timeHigh || (high === this.#timeHigh && low <= this.#timeLow)) return;
    this.#timeHigh = high;
    this.#timeLow = low;
  }

  #tick(): void {
    this.#timeLow = (this.#timeLow + 1) >>> 0;
    if (this.#timeLow === 0) this.#timeHigh += 1;
  }
}

/** The tags that all of an instance's envelopes carry, logs and metrics alike. */
export function tagsOf(app: App, index: number, instanceGuid: string): Record<string, string> {
  return {
    app_id: app.guid,
    app_name: app.name,
    instance_id: String(index),
    organization_id: app.organizationId,
    organization_name: app.organizationName,
    origin: 'rep',
    process_id: app.guid,
    process_instance_id: instanceGuid,
    process_type: app.processType,
    space_id: app.spaceId,
    space_name: app.spaceName,
  };
}

/** What the app's own lines are marked with, such as APP/PROC/WEB. */
export function sourceTypeOf(app: App): string {
  return `APP/PROC/${app.processType.toUpperCase()}`;
}
