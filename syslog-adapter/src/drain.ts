/**
 * One drain of one app: what waits for it, and the one that writes it out.
 *
 *     envelopes ──▶ BoundedQueue ──▶ text, up to 64 KiB ──▶ DrainWriter
 *                   drops oldest     sent again until it is taken
 *
 * A write costs as much as dozens of lines, so an adapter that has many writes in rounds: what
 * comes for a drain within one leaves together (plumbing's pace.ts).
 *
 * Envelopes wait as bytes and become text only when the writer takes them, so a drain that is away
 * costs no formatting. While it is slow or away, exactly the oldest envelopes of the queue drop;
 * they are counted under its URL, and the app is told in its own log.
 *
 * Text that could not be handed to the kernel is sent again on the next connection, whole: if part
 * of it had got through, up to 64 KiB of messages come twice (the original repeats one message at
 * a time, and gives it up after two minutes). It is tried for as long as the drain is bound, after
 * 1 ms at first and then doubling to 15 s. What the kernel had taken is out of our hands.
 */

import assert from 'node:assert/strict';
import {
  Backoff,
  BoundedQueue,
  type Clock,
  type Log,
  Pace,
  type Rounds,
} from '@standpipe/plumbing';
import { type Batch, FieldReader, PackedBatch } from '@standpipe/protos';
import type { DrainBinding } from './bindings.ts';
import type { FrameBuffer } from './framing.ts';
import type { AdapterMetrics, DrainCounters } from './metrics.ts';
import { type MessageStyle, type Rfc5424Writer, UNSENDABLE } from './rfc5424.ts';
import { type DrainWriter, WriteError } from './writers/writer.ts';

/** The most bytes that wait for one drain. */
const BUFFER_BYTES = 16 * 1024 * 1024;
/** Text is handed to the writer in pieces of about this size. */
const PIECE_BYTES = 64 * 1024;
const PICKED_AT_FIRST = 16;
/** What an envelope that waits costs besides its bytes, when it came in a batch of its own. */
const ENVELOPE_COST_BYTES = 256;

/** What all drains of an adapter share. Text is made in one buffer: nobody holds it across a wait. */
export interface DrainContext {
  readonly frames: FrameBuffer;
  readonly text: Rfc5424Writer;
  readonly metrics: AdapterMetrics;
  readonly log: Log;
  readonly clock: Clock;
  /** The most envelopes that wait for one drain. */
  readonly bufferSize: number;
  /** In which the drains write. */
  readonly rounds: Rounds;
  /** Hears of envelopes that an app lost. */
  readonly onLost: (binding: DrainBinding, count: number) => void;
}

export class Drain {
  readonly binding: DrainBinding;
  readonly #context: DrainContext;
  readonly #writer: DrainWriter;
  readonly #counters: DrainCounters;
  readonly #style: MessageStyle;
  readonly #queue: BoundedQueue<PackedBatch>;
  readonly #pace: Pace;
  readonly #fields = new FieldReader();
  readonly #backoff = new Backoff({ firstMs: 1, maxMs: 15_000 });
  readonly #cut = new AbortController();
  readonly #running: Promise<void>;
  /** Envelopes that were taken from the queue and are not written yet. */
  #inHand = 0;
  /** Envelopes that were dropped since it was closed. */
  #leftBehind = 0;
  #isAway = false;

  // The envelopes of the batch at hand that are for this drain.
  #picked: Int32Array = new Int32Array(PICKED_AT_FIRST);
  #pickedCount = 0;

  constructor(binding: DrainBinding, writer: DrainWriter, context: DrainContext) {
    this.binding = binding;
    this.#writer = writer;
    this.#context = context;
    this.#counters = context.metrics.drain(binding.shownUrl);
    this.#style = { hostname: Buffer.from(binding.hostname), metadata: binding.metadata };
    this.#queue = new BoundedQueue<PackedBatch>({
      maxCount: context.bufferSize,
      maxBytes: BUFFER_BYTES,
      join: PackedBatch.concat,
      onDrop: (count) => this.#dropped(count),
    });
    this.#pace = new Pace(context.rounds);
    this.#running = this.#run();
  }

  /** Whether it is connected. */
  get isActive(): boolean {
    return this.#writer.isOpen;
  }

  /** About what all that waits costs in memory; what the writer has in hand is not in it. */
  get waitingBytes(): number {
    return this.#queue.byteLength + this.#queue.count * ENVELOPE_COST_BYTES;
  }

  /** Drops the older half of what waits, for the sake of other drains. */
  dropHalf(): void {
    const kept = this.waitingBytes / 2;
    let count = 0;
    while (this.waitingBytes > kept) count += this.#queue.take(1)?.count ?? 0;
    if (count > 0) this.#dropped(count);
  }

  /** Notes that the envelope with this index is for this drain. True for a batch's first. */
  pick(index: number): boolean {
    if (this.#pickedCount === this.#picked.length) {
      const larger = new Int32Array(this.#picked.length * 2);
      larger.set(this.#picked);
      this.#picked = larger;
    }
    this.#picked[this.#pickedCount] = index;
    this.#pickedCount += 1;
    return this.#pickedCount === 1;
  }

  /** Takes what was picked. A part of a batch is copied, so that waiting holds no more than that. */
  accept(batch: Batch): void {
    const count = this.#pickedCount;
    this.#pickedCount = 0;
    if (count === batch.count) this.#put(batch.pack());
    else this.#put(this.#copyOf(batch, count));
  }

  #copyOf(batch: Batch, count: number): PackedBatch {
    const { frameStart, end, bytes } = batch;
    let size = 0;
    for (let place = 0; place < count; place += 1) {
      const index = this.#picked[place] as number; // Below the count, like all places here.
      size += (end[index] as number) - (frameStart[index] as number);
    }
    const part = Buffer.allocUnsafeSlow(size);
    let at = 0;
    for (let place = 0; place < count; place += 1) {
      const index = this.#picked[place] as number;
      at += bytes.copy(part, at, frameStart[index], end[index]);
    }
    return new PackedBatch(part, count);
  }

  /** Whether to wait for more would make no larger a write, or lose something. */
  #isFull(): boolean {
    const { byteLength, count, maxCount } = this.#queue;
    return byteLength >= PIECE_BYTES || count >= maxCount / 2;
  }

  #put(part: PackedBatch): void {
    this.#queue.put(part);
    if (this.#isFull()) this.#pace.hurry();
  }

  /** Takes nothing more, writes what waits, and closes. */
  async close(): Promise<void> {
    this.#queue.close();
    this.#pace.hurry();
    await this.#running;
    await this.#writer[Symbol.asyncDispose]();
  }

  /** Ends a close that takes too long: what is not written yet is dropped, and counted. */
  cut(): void {
    this.#cut.abort();
    this.#pace.hurry();
    this.#writer.cut();
  }

  async #run(): Promise<void> {
    const queue = this.#queue;
    for (;;) {
      await queue.whenReady();
      if (!this.#isFull() && !queue.closed) await this.#pace.gather(() => queue.count);
      if (this.#cut.signal.aborted) break;
      const item = queue.take(Number.POSITIVE_INFINITY, PIECE_BYTES);
      if (item === undefined) {
        if (queue.closed) break;
        continue; // All of it was dropped meanwhile, for the sake of other drains.
      }
      this.#inHand = item.count;
      await this.#send(item);
    }
    queue.clear();
    this.#tellLeftBehind();
  }

  /** Writes a batch, piece by piece. */
  async #send(item: PackedBatch): Promise<void> {
    const { frames } = this.#context;
    const { bytes } = item;
    const fields = this.#fields.over(bytes, 0, bytes.length);
    let isMore = fields.next();
    while (isMore) {
      let envelopes = 0;
      for (; isMore && frames.byteLength < PIECE_BYTES; isMore = fields.next()) {
        if (fields.field !== 1 || fields.wireType !== 2) continue;
        const written = this.#context.text.write(bytes, fields.start, fields.end, this.#style);
        if (written === UNSENDABLE) this.#refused();
        else envelopes += 1;
      }
      const messages = frames.count;
      if (messages > 0 && !(await this.#write(frames.take()))) {
        this.#dropped(this.#inHand);
        return;
      }
      this.#inHand -= envelopes;
      this.#counters.egress.add(messages);
    }
    assert.equal(this.#inHand, 0, 'a packed batch has as many envelopes as it says');
  }

  /** Writes until it succeeds. False, if the drain was cut first. */
  async #write(bytes: Buffer): Promise<boolean> {
    const { clock, log } = this.#context;
    const { appId, shownUrl } = this.binding;
    const fields = { app_id: appId, drain_url: shownUrl };
    while (!this.#cut.signal.aborted) {
      try {
        await this.#writer.write(bytes);
        if (this.#isAway) log.info(fields, 'a drain is back');
        this.#isAway = false;
        this.#backoff.reset();
        return true;
      } catch (error) {
        if (!(error instanceof WriteError)) throw error;
        if (!this.#isAway && !this.#cut.signal.aborted) {
          const reason = error.message;
          log.warn({ ...fields, reason }, 'a drain is away; trying again until it is back');
        }
        this.#isAway = true;
        await clock.sleep(this.#backoff.next(), this.#cut.signal);
      }
    }
    return false;
  }

  #refused(): void {
    const { metrics, log, text } = this.#context;
    this.#inHand -= 1;
    metrics.unsendable.add(1);
    const fields = { app_id: this.binding.appId, reason: text.mistake };
    log.limited(`unsendable ${this.binding.appId}`, 'warn', fields, 'an envelope cannot be sent');
  }

  /** When the process ends, this line is all that stays of the count. */
  #tellLeftBehind(): void {
    if (this.#leftBehind === 0) return;
    const { appId, shownUrl } = this.binding;
    const fields = { app_id: appId, drain_url: shownUrl, count: this.#leftBehind };
    this.#context.log.warn(fields, 'dropped what a closed drain had not taken');
  }

  #dropped(count: number): void {
    const { metrics, log, onLost } = this.#context;
    this.#counters.dropped.add(count);
    metrics.dropped.add(count);
    if (this.#queue.closed) {
      this.#leftBehind += count; // The drain was unbound, or we end; it was not slow.
      return;
    }
    const { appId, shownUrl } = this.binding;
    const fields = { app_id: appId, drain_url: shownUrl, count };
    log.limited(
      `dropped ${this.binding.identity}`,
      'warn',
      fields,
      'dropped the oldest of a slow drain',
    );
    onLost(this.binding, count);
  }
}
