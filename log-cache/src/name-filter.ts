/**
 * Keeps envelopes by the names in them: `name_filter` of a read.
 *
 * Counters and timers pass whose name matches, and gauges with a metric that does; such a gauge is
 * copied with only those metrics in it. Logs, events and envelopes without message never pass.
 * Names are found in the bytes. A source has few different ones, so each is matched once per read;
 * past NAMES_MAX they are matched again. Matching ends with a SlowFilterError when it has taken a
 * second in all.
 */

import {
  type BatchBuilder,
  ByteMap,
  encodeVarint,
  FieldReader,
  hashBytes,
  Kind,
} from '@standpipe/protos';
import { Pattern, SlowFilterError } from './pattern.ts';

const NAMES_MAX = 1000;

/** How long one read may match names in all. */
const MATCHING_MS_MAX = 1000;

const COUNTER_FIELD = 5;
const GAUGE_FIELD = 6;
const TIMER_FIELD = 7;
const GAUGE_TAG = 0x32;
/** A tag and a length that needs at most four bytes. */
const GAUGE_HEAD_BYTES_MAX = 5;

export class NameFilter {
  readonly #pattern: Pattern;
  readonly #verdicts = new ByteMap<boolean>();
  readonly #envelope = new FieldReader();
  readonly #body = new FieldReader();
  readonly #entry = new FieldReader();
  #matchingMs = 0;

  /** Throws a PatternError. */
  constructor(pattern: string) {
    this.#pattern = new Pattern(pattern);
  }

  /** Forgets how long it has matched. */
  renew(): void {
    this.#matchingMs = 0;
  }

  /** See Pattern. */
  get work(): number {
    return this.#pattern.work;
  }

  /** Adds the bare envelope bytes[start, end) to `into` if it passes; whether it did. */
  select(
    bytes: Uint8Array,
    { start, end, kind }: { readonly start: number; readonly end: number; readonly kind: number },
    into: BatchBuilder,
  ): boolean {
    if (kind === Kind.gauge) return this.#selectGauge(bytes, start, end, into);
    const field = kind === Kind.counter ? COUNTER_FIELD : kind === Kind.timer ? TIMER_FIELD : 0;
    if (field === 0 || !this.#isNameWanted(bytes, start, end, field)) return false;
    into.addSlice(bytes, start, end);
    return true;
  }

  /** Whether the name in a counter or timer matches; of several, the last counts. */
  #isNameWanted(bytes: Uint8Array, start: number, end: number, bodyField: number): boolean {
    let nameStart = start;
    let nameEnd = start;
    const envelope = this.#envelope.over(bytes, start, end);
    while (envelope.next()) {
      if (envelope.field !== bodyField || envelope.wireType !== 2) continue;
      const body = this.#body.over(bytes, envelope.start, envelope.end);
      while (body.next()) {
        if (body.field !== 1 || body.wireType !== 2) continue;
        nameStart = body.start;
        nameEnd = body.end;
      }
    }
    return this.#matches(bytes, nameStart, nameEnd);
  }

  #selectGauge(bytes: Uint8Array, start: number, end: number, into: BatchBuilder): boolean {
    // The bounds of the metrics that match, with their tags, and how many there are in all.
    const wanted: number[] = [];
    let metrics = 0;
    let byteLength = 0;
    const envelope = this.#envelope.over(bytes, start, end);
    while (envelope.next()) {
      if (envelope.field !== GAUGE_FIELD || envelope.wireType !== 2) continue;
      const body = this.#body.over(bytes, envelope.start, envelope.end);
      while (body.next()) {
        if (body.field !== 1 || body.wireType !== 2) continue;
        metrics += 1;
        if (!this.#isMetricWanted(bytes, body.start, body.end)) continue;
        wanted.push(body.tagStart, body.end);
        byteLength += body.end - body.tagStart;
      }
    }
    if (wanted.length === 0) return false;
    if (wanted.length === 2 * metrics) into.addSlice(bytes, start, end);
    else into.addBytes(this.#reduced({ bytes, start, end, wanted, byteLength }));
    return true;
  }

  /** The envelope with nothing in its gauge but the wanted metrics. */
  #reduced(from: {
    readonly bytes: Uint8Array;
    readonly start: number;
    readonly end: number;
    readonly wanted: readonly number[];
    readonly byteLength: number;
  }): Buffer {
    const { bytes, start, end, wanted, byteLength } = from;
    const copy = Buffer.allocUnsafe(end - start + GAUGE_HEAD_BYTES_MAX);
    let at = 0;
    const envelope = this.#envelope.over(bytes, start, end);
    while (envelope.next()) {
      if (envelope.field === GAUGE_FIELD && envelope.wireType === 2) continue;
      copy.set(bytes.subarray(envelope.tagStart, envelope.end), at);
      at += envelope.end - envelope.tagStart;
    }
    copy[at] = GAUGE_TAG;
    at = encodeVarint(copy, at + 1, byteLength);
    for (let index = 0; index < wanted.length; index += 2) {
      const metric = bytes.subarray(wanted[index], wanted[index + 1]);
      copy.set(metric, at);
      at += metric.length;
    }
    return copy.subarray(0, at);
  }

  #isMetricWanted(bytes: Uint8Array, start: number, end: number): boolean {
    let keyStart = start;
    let keyEnd = start;
    const entry = this.#entry.over(bytes, start, end);
    while (entry.next()) {
      if (entry.field !== 1 || entry.wireType !== 2) continue;
      keyStart = entry.start;
      keyEnd = entry.end;
    }
    return this.#matches(bytes, keyStart, keyEnd);
  }

  #matches(bytes: Uint8Array, start: number, end: number): boolean {
    const hash = hashBytes(bytes, start, end);
    const known = this.#verdicts.get(bytes, start, end, hash);
    if (known !== undefined) return known;
    const verdict = this.#match(bytes.subarray(start, end));
    if (this.#verdicts.size < NAMES_MAX) this.#verdicts.set(bytes, start, end, hash, verdict);
    return verdict;
  }

  #match(name: Uint8Array): boolean {
    const startedMs = performance.now();
    const verdict = this.#pattern.test(name);
    this.#matchingMs += performance.now() - startedMs;
    if (this.#matchingMs > MATCHING_MS_MAX) throw new SlowFilterError();
    return verdict;
  }
}
