/**
 * What the log cache holds of one app, as v1, for clients of before Log Cache.
 *
 *     /apps/:guid/recentlogs         its logs, newest first; ?limit=N, 1000 at most and by default
 *     /apps/:guid/containermetrics   the newest of each instance within the last minute
 *
 * Loggregator lost the latter in v105.0 and the former in v107.0.0, and cf v6, Java and Python
 * clients still ask. An answer is one multipart body whose parts have no headers:
 *
 *     --B CRLF CRLF envelope CRLF --B CRLF CRLF envelope CRLF --B-- CRLF
 *
 * Clients take all behind `boundary=` for the boundary, so it stands last and without quotes.
 * An answer that would not fit a message is asked for again with three quarters of its limit, for
 * READ_LIMIT_MS in all. An app of which nothing is known, or whose Dopplers keep nothing or can't be
 * reached, has an answer without parts; the header Standpipe-Partial names who could not be reached.
 */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import {
  partialHeader,
  ReadError,
  type Reader,
  type ReadRequest,
  readRequest,
} from '@standpipe/log-cache';
import { type Clock, MAX_MESSAGE_BYTES } from '@standpipe/plumbing';
import {
  Batch,
  events,
  Kind,
  nowNanoseconds,
  scanBatch,
  ToV1,
  type V1Batch,
} from '@standpipe/protos';
import type { RecentMetrics, RecentName } from './metrics.ts';
import { bare, type Reply } from './refusal.ts';

const LIMIT_MAX = 1000;
const READ_LIMIT_MS = 5000;
const SHRINK = 0.75;
const MINUTE_NS = 60_000_000_000n;
const BOUNDARY_BYTES = 30;

export interface RecentEnvelopesOptions {
  readonly reader: Reader;
  readonly metrics: RecentMetrics;
  readonly clock: Clock;
}

export class RecentEnvelopes {
  readonly #reader: Reader;
  readonly #metrics: RecentMetrics;
  readonly #clock: Clock;
  readonly #batch = new Batch();
  readonly #toV1 = new ToV1();

  constructor(options: RecentEnvelopesOptions) {
    this.#reader = options.reader;
    this.#metrics = options.metrics;
    this.#clock = options.clock;
  }

  /** The answer for one app to whoever may see it. */
  async answer(name: RecentName, appId: string, query: string): Promise<Reply> {
    const beganMs = this.#clock.now();
    try {
      return name === 'recentlogs'
        ? await this.#recentLogs(appId, limitIn(query))
        : await this.#containerMetrics(appId);
    } catch (error) {
      if (!(error instanceof ReadError)) throw error;
      this.#metrics.failures.add(1);
      return { ...bare(500), body: name === 'recentlogs' ? error.message : '' };
    } finally {
      this.#metrics.latency[name].set(this.#clock.now() - beganMs);
    }
  }

  #recentLogs(appId: string, limit: number): Promise<Reply> {
    const request = { limit: BigInt(limit), envelopeTypes: [Kind.log] };
    return this.#read(readRequest(appId, { ...request, descending: true }), (v1) => {
      const logs: Buffer[] = [];
      for (let index = 0; index < v1.count; index += 1) {
        if (v1.isLog[index] === 1) logs.push(v1.bytes.subarray(v1.start[index], v1.end[index]));
      }
      return logs;
    });
  }

  #containerMetrics(appId: string): Promise<Reply> {
    const request = readRequest(appId, {
      startTime: nowNanoseconds() - MINUTE_NS,
      limit: BigInt(LIMIT_MAX),
      envelopeTypes: [Kind.gauge],
      descending: true, // Of more than may be read, the newest count.
    });
    return this.#read(request, newestOfEachInstance);
  }

  async #read(request: ReadRequest, choose: (v1: V1Batch) => readonly Buffer[]): Promise<Reply> {
    const { batch, unreachable } = await this.#readWhatFits(request);
    assert(scanBatch(batch.bytes, this.#batch), 'a reader gives batches that were scanned');
    const parts = choose(this.#toV1.convert(this.#batch));
    const boundary = randomBytes(BOUNDARY_BYTES).toString('hex');
    const headers = { 'Content-Type': `multipart/x-protobuf; boundary=${boundary}` };
    return {
      status: 200,
      headers: { ...headers, ...partialHeader(unreachable) },
      body: multipart(parts, boundary),
    };
  }

  /** Asks for less and less while an answer is too large: more than a message of v1 ever had. */
  async #readWhatFits(request: ReadRequest): ReturnType<Reader['read']> {
    const lateMs = this.#clock.now() + READ_LIMIT_MS;
    for (let limit = Number(request.limit); ; ) {
      try {
        const answer = await this.#reader.read({ ...request, limit: BigInt(limit) });
        const fits = answer.batch.byteLength <= MAX_MESSAGE_BYTES;
        if (fits || limit <= 1 || this.#clock.now() >= lateMs) return answer;
        limit = Math.floor(limit * SHRINK);
      } catch (error) {
        const isTooLarge = error instanceof ReadError && error.code === status.RESOURCE_EXHAUSTED;
        if (!isTooLarge || limit <= 1 || this.#clock.now() >= lateMs) throw error;
        limit = Math.floor(limit * SHRINK);
      }
    }
  }
}

/** As the original reads it: what is no number, or below zero, is the most that there may be. */
function limitIn(query: string): number {
  const text = new URLSearchParams(query).get('limit') ?? '';
  if (!/^\+?\d+$/.test(text)) return LIMIT_MAX;
  return Math.min(Number(text), LIMIT_MAX);
}

/** Of envelopes that come newest first; in the order of the instances. */
function newestOfEachInstance(v1: V1Batch): readonly Buffer[] {
  const newest = new Map<number, Buffer>();
  for (let index = 0; index < v1.count; index += 1) {
    const bytes = v1.bytes.subarray(v1.start[index], v1.end[index]);
    const instance = events.Envelope.decode(bytes).containerMetric?.instanceIndex;
    if (typeof instance === 'number' && !newest.has(instance)) newest.set(instance, bytes);
  }
  return [...newest].sort(([a], [b]) => a - b).map(([, bytes]) => bytes);
}

/** Exported for its test. */
export function multipart(parts: readonly Buffer[], boundary: string): Buffer {
  const head = Buffer.from(`--${boundary}\r\n\r\n`);
  const nextHead = Buffer.from(`\r\n--${boundary}\r\n\r\n`);
  const pieces = parts.flatMap((part, index) => [index === 0 ? head : nextHead, part]);
  // Before the first boundary there is no line to end: some clients would take it for a part.
  const end = `${parts.length > 0 ? '\r\n' : ''}--${boundary}--\r\n`;
  return Buffer.concat([...pieces, Buffer.from(end)]);
}
