/**
 * What happens to an envelope between the door and the queue of its Doppler.
 *
 *     scanned batch ─▶ no logs? ─▶ source id ─▶ tags ─▶ counter's total ─▶ lane of the source's owner
 *
 * Nothing waits and nothing is lost here but the logs that LOGS_DISABLED is meant to lose, which
 * are counted. An envelope that needs nothing but the agent's tags is copied once, with them behind
 * it; one with deprecated tags, without a source id or with a counter is edited (tagger.ts,
 * counter-totals.ts).
 *
 * Hot: one loop over the columns of the scan.
 */

import { type Batch, type BatchBuilder, EnvelopeEdit, Kind } from '@standpipe/protos';
import { CounterTotals } from './counter-totals.ts';
import type { MetronMetrics } from './metrics.ts';
import { OriginReader, Tagger } from './tagger.ts';

/** Somewhere an envelope can go: it is put into the builder, and then said to be there. */
export interface Lane {
  readonly builder: BatchBuilder;
  added(): void;
}

/** Says where the envelopes of a source go. */
export interface Owners {
  laneOf(bytes: Buffer, start: number, end: number, hash: number): Lane;
}

export interface ProcessorOptions {
  readonly tags: ReadonlyMap<string, string>;
  readonly logsDisabled: boolean;
  readonly owners: Owners;
  readonly metrics: MetronMetrics;
  readonly totals?: CounterTotals;
}

export class Processor {
  readonly #tagger: Tagger;
  readonly #logsDisabled: boolean;
  readonly #owners: Owners;
  readonly #metrics: MetronMetrics;
  readonly #totals: CounterTotals;
  readonly #origin = new OriginReader();
  readonly #tagged = new EnvelopeEdit();
  readonly #totalled = new EnvelopeEdit();

  constructor(options: ProcessorOptions) {
    this.#tagger = new Tagger(options.tags);
    this.#logsDisabled = options.logsDisabled;
    this.#owners = options.owners;
    this.#metrics = options.metrics;
    this.#totals = options.totals ?? new CounterTotals();
  }

  /**
   * Passes on all envelopes of a scanned batch, whose bytes are copied. `keepsLogs` is for those
   * that LOGS_DISABLED does not concern.
   */
  process(batch: Batch, keepsLogs: boolean = !this.#logsDisabled): void {
    const { count } = batch;
    const forgottenBefore = this.#totals.forgotten;
    let filtered = 0;
    for (let index = 0; index < count; index += 1) {
      if (keepsLogs || batch.kind[index] !== Kind.log) this.#pass(batch, index);
      else filtered += 1;
    }
    if (filtered > 0) this.#metrics.filtered.add(filtered);
    const forgotten = this.#totals.forgotten - forgottenBefore;
    if (forgotten > 0) this.#metrics.totalsForgotten.add(forgotten);
  }

  #pass(batch: Batch, index: number): void {
    const start = batch.sourceStart[index] as number;
    const end = batch.sourceEnd[index] as number;
    if (start === end) {
      this.#passWithoutSource(batch, index);
      return;
    }
    const hash = batch.sourceHash[index] as number;
    const lane = this.#owners.laneOf(batch.bytes, start, end, hash);
    const suffix = this.#tagger.suffixOf(batch, index);
    if (this.#tagger.needsRewrite || batch.kind[index] === Kind.counter) {
      this.#passEdited(batch, index, lane, suffix, start, end);
      return;
    }
    if (suffix.length === 0) lane.builder.add(batch, index);
    else lane.builder.addWith(batch, index, suffix);
    lane.added();
  }

  #passWithoutSource(batch: Batch, index: number): void {
    const { bytes } = batch;
    const origin = this.#origin;
    let start = 0;
    let end = 0;
    let hash = batch.sourceHash[index] as number;
    if (origin.over(bytes, batch.start[index] as number, batch.end[index] as number)) {
      this.#metrics.originMappings.add(1);
      ({ start, end, hash } = origin);
    }
    const lane = this.#owners.laneOf(bytes, start, end, hash);
    const suffix = this.#tagger.suffixOf(batch, index);
    this.#passEdited(batch, index, lane, suffix, start, end);
  }

  /** Writes the envelope anew; its source id is bytes[sourceStart, sourceEnd) of the batch. */
  #passEdited(
    batch: Batch,
    index: number,
    lane: Lane,
    suffix: Buffer,
    sourceStart: number,
    sourceEnd: number,
  ): void {
    const { bytes } = batch;
    const edit = this.#tagged;
    if (this.#tagger.needsRewrite) {
      this.#tagger.rewrite(batch, index, edit);
    } else {
      edit.over(bytes, batch.start[index] as number, batch.end[index] as number);
      edit.append(suffix);
    }
    const hadSource = (batch.sourceEnd[index] as number) > (batch.sourceStart[index] as number);
    if (!hadSource && sourceEnd > sourceStart) edit.appendSourceId(bytes, sourceStart, sourceEnd);

    const written = this.#withTotal(batch, index, sourceStart, sourceEnd);
    lane.builder.addSlice(written.bytes, 0, written.length);
    lane.added();
  }

  /** The tagged envelope; with its running total, if it is a counter that sent none. */
  #withTotal(batch: Batch, index: number, sourceStart: number, sourceEnd: number): EnvelopeEdit {
    const edit = this.#tagged;
    const totals = this.#totals;
    if (batch.kind[index] !== Kind.counter) return edit;
    if (!totals.count(edit.bytes, edit.length, batch.bytes, sourceStart, sourceEnd)) return edit;
    this.#totalled
      .over(edit.bytes, 0, edit.length)
      .setTotal(totals.counter, totals.high, totals.low);
    return this.#totalled;
  }
}
