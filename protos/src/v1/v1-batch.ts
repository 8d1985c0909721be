/**
 * v1 envelopes made from one batch: a row for each, kept as columns.
 *
 *     bytes       0a 8b 02 │ events.Envelope ... │ 0a 97 02 │ events.Envelope ....... │
 *                 ^          ^                   ^
 *                 frameStart start               end
 *
 * `bytes` is an encoded plumbing.BatchResponse, and so is any run of its frames. It is never written
 * over; the columns and the app ids hold until the next conversion.
 *
 * Hot: read by number for every subscription. Columns grow to the largest batch seen; those of more
 * than 65,536 rows, and app ids of more than a megabyte, are given back.
 */

import { hashBytes } from '../byte-map.ts';
import { PackedBatch } from '../packed-batch.ts';

const SYSTEM = Buffer.from('system');
const SYSTEM_HASH: number = hashBytes(SYSTEM, 0, SYSTEM.length);

const CAPACITY_AT_FIRST = 128;
const CAPACITY_KEPT_MAX = 65_536;

const APPS_BYTES_AT_FIRST = 4096;
const APPS_BYTES_KEPT_MAX = 1024 * 1024;

export class V1Batch {
  bytes: Buffer = Buffer.alloc(0);
  count = 0;
  /** How many v1 envelopes were left out because the batch had become too large. */
  dropped = 0;
  frameStart: Int32Array = new Int32Array(CAPACITY_AT_FIRST);
  start: Int32Array = new Int32Array(CAPACITY_AT_FIRST);
  end: Int32Array = new Int32Array(CAPACITY_AT_FIRST);
  /** 1 when the envelope is a LogMessage: what the log and metric filters ask. */
  isLog: Uint8Array = new Uint8Array(CAPACITY_AT_FIRST);
  /** The app id that the envelope is routed by, `system` if it belongs to no app: in `apps`. */
  appStart: Int32Array = new Int32Array(CAPACITY_AT_FIRST);
  appEnd: Int32Array = new Int32Array(CAPACITY_AT_FIRST);
  /** `hashBytes` of the app id. */
  appHash: Uint32Array = new Uint32Array(CAPACITY_AT_FIRST);
  /** The app ids; `system` stands first. */
  apps: Buffer = Buffer.alloc(APPS_BYTES_AT_FIRST);
  #appsEnd = 0;

  constructor() {
    this.clear();
  }

  clear(): void {
    this.bytes = Buffer.alloc(0);
    this.count = 0;
    this.dropped = 0;
    if (this.start.length > CAPACITY_KEPT_MAX) this.#resize(CAPACITY_AT_FIRST);
    if (this.apps.length > APPS_BYTES_KEPT_MAX) this.apps = Buffer.alloc(APPS_BYTES_AT_FIRST);
    this.#appsEnd = SYSTEM.copy(this.apps);
  }

  /** The app id of one envelope; for edges and tests. */
  app(index: number): string {
    return this.apps.toString('utf8', this.appStart[index], this.appEnd[index]);
  }

  /** All envelopes, as an encoded plumbing.BatchResponse. */
  pack(): PackedBatch {
    return new PackedBatch(this.bytes, this.count);
  }

  /** Adds a row, whose frame is in the bytes to come; it belongs to `system` until routed. */
  push(frameStart: number, start: number, end: number, isLog: boolean): void {
    const index = this.count;
    if (index === this.start.length) this.#resize(index * 2);
    this.frameStart[index] = frameStart;
    this.start[index] = start;
    this.end[index] = end;
    this.isLog[index] = isLog ? 1 : 0;
    this.appStart[index] = 0;
    this.appEnd[index] = SYSTEM.length;
    this.appHash[index] = SYSTEM_HASH;
    this.count = index + 1;
  }

  /** Routes the row that was added last by the app id bytes[start, end). */
  route(bytes: Uint8Array, start: number, end: number, hash: number): void {
    const index = this.count - 1;
    if (!this.#isSameAsBefore(bytes, start, end, hash)) this.#addApp(bytes, start, end);
    this.appStart[index] = this.#appsEnd - (end - start);
    this.appEnd[index] = this.#appsEnd;
    this.appHash[index] = hash;
  }

  /** Apps come in runs, since an agent sends what one app wrote at once. */
  #isSameAsBefore(bytes: Uint8Array, start: number, end: number, hash: number): boolean {
    const before = this.count - 2;
    if (before < 0 || this.appHash[before] !== hash) return false;
    const length = end - start;
    const from = this.#appsEnd - length;
    if (this.appEnd[before] !== this.#appsEnd || this.appStart[before] !== from) return false;
    for (let at = 0; at < length; at += 1) {
      if (this.apps[from + at] !== bytes[start + at]) return false;
    }
    return true;
  }

  #addApp(bytes: Uint8Array, start: number, end: number): void {
    const appsEnd = this.#appsEnd + end - start;
    if (appsEnd > this.apps.length) {
      const larger = Buffer.alloc(appsEnd * 2);
      this.apps.copy(larger, 0, 0, this.#appsEnd);
      this.apps = larger;
    }
    for (let at = start, to = this.#appsEnd; at < end; at += 1, to += 1) {
      this.apps[to] = bytes[at] as number; // Within the slice.
    }
    this.#appsEnd = appsEnd;
  }

  #resize(capacity: number): void {
    this.frameStart = resized(this.frameStart, new Int32Array(capacity));
    this.start = resized(this.start, new Int32Array(capacity));
    this.end = resized(this.end, new Int32Array(capacity));
    this.isLog = resized(this.isLog, new Uint8Array(capacity));
    this.appStart = resized(this.appStart, new Int32Array(capacity));
    this.appEnd = resized(this.appEnd, new Int32Array(capacity));
    this.appHash = resized(this.appHash, new Uint32Array(capacity));
  }
}

function resized<T extends Int32Array | Uint32Array | Uint8Array>(from: T, to: T): T {
  to.set(from.length > to.length ? from.subarray(0, to.length) : from);
  return to;
}
