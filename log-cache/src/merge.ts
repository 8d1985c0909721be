/**
 * Merges what the owners in several zones returned for one source into one answer.
 *
 * Each zone has its own share, in order, so this is a merge of sorted lists. Nothing is there
 * twice, unless former owners were asked, too; then what two of them have is given once. The limit
 * holds for the whole, and the run of equal timestamps at its end stays whole: each returned its own
 * part of that run. Of equal times the earlier batch's come first, and last when the order is
 * descending, so that one is the other turned round.
 */

import assert from 'node:assert/strict';
import {
  Batch,
  BatchBuilder,
  compareTime,
  FieldReader,
  PackedBatch,
  scanBatch,
} from '@standpipe/protos';
import { joined } from './joined.ts';
import { SLICE_BYTES, Slice } from './slice.ts';
import type { Turns } from './turns.ts';

/** The number of an envelope's tags. */
const TAG_FIELD = 9;

export interface MergeOptions {
  readonly limit: number;
  readonly descending: boolean;
  /** Whether several may have the same envelope, which is then given once. */
  readonly withoutRepeats?: boolean;
}

/** Others are served meanwhile: zones may have 50 MiB each. */
export async function mergeBatches(
  batches: readonly PackedBatch[],
  options: MergeOptions,
  turns: Turns,
): Promise<PackedBatch> {
  const merge = new Merge(batches, options);
  const into = new BatchBuilder();
  const pieces: PackedBatch[] = [];
  for (;;) {
    const isOver = merge.go(into);
    pieces.push(into.take());
    if (isOver) break;
    await turns.next();
  }
  return new PackedBatch(await joined(pieces.map(({ bytes }) => bytes)), merge.count);
}

class Merge {
  readonly #options: MergeOptions;
  readonly #rows: readonly Batch[];
  readonly #places: number[];
  readonly #run: Run | undefined;
  readonly #slice = new Slice();
  #last: Row | undefined;
  #count = 0;

  constructor(batches: readonly PackedBatch[], options: MergeOptions) {
    const ordered = options.descending ? batches.toReversed() : batches;
    this.#options = options;
    this.#rows = ordered.map(scanned);
    this.#places = ordered.map(() => 0);
    this.#run = options.withoutRepeats === true ? new Run() : undefined;
  }

  /** How many it has given so far. */
  get count(): number {
    return this.#count;
  }

  /** Gives a slice; true, if it was the last. */
  go(into: BatchBuilder): boolean {
    const { limit, descending } = this.#options;
    this.#slice.begin();
    for (;;) {
      const which = nextOf(this.#rows, this.#places, descending);
      if (which < 0) return true;
      const batch = this.#rows[which] as Batch; // nextOf returns an index of both arrays.
      const row = { batch, index: this.#places[which] as number };
      const isNewTime = this.#last !== undefined && compareRows(this.#last, row) !== 0;
      if (isNewTime && this.#count >= limit) return true;
      if (isNewTime) this.#run?.restart();
      this.#places[which] = row.index + 1;
      if (this.#run?.repeats(row, which) !== true) {
        into.add(batch, row.index);
        this.#count += 1;
        this.#last = row;
      }
      if (this.#slice.isOver(0) || into.byteLength >= SLICE_BYTES) return false;
    }
  }
}

/** The first of the batches whose next envelope comes next; -1 when all are done. */
function nextOf(rows: readonly Batch[], places: readonly number[], descending: boolean): number {
  let best = -1;
  let bestRow: { batch: Batch; index: number } | undefined;
  for (const [which, batch] of rows.entries()) {
    const index = places[which] ?? 0;
    if (index >= batch.count) continue;
    const row = { batch, index };
    const difference = bestRow ? compareRows(row, bestRow) : -1;
    if (bestRow && (descending ? difference <= 0 : difference >= 0)) continue;
    best = which;
    bestRow = row;
  }
  return best;
}

/** The envelopes of one time that were taken so far, and from which of the batches each came. */
class Run {
  readonly #taken = new Map<string, Set<number>>();

  restart(): void {
    this.#taken.clear();
  }

  /** Whether another batch had this envelope, too. One batch may well have two that are alike. */
  repeats({ batch, index }: Row, which: number): boolean {
    const fields = fieldsOf(batch.envelope(index));
    const from = this.#taken.get(fields);
    if (from === undefined) this.#taken.set(fields, new Set([which]));
    if (from === undefined || from.has(which)) return false;
    from.add(which);
    return true;
  }
}

/** An envelope's bytes with its tags sorted: each owner may have put them in another order. */
export function fieldsOf(envelope: Buffer): string {
  const reader = new FieldReader().over(envelope, 0, envelope.length);
  const tags: string[] = [];
  let others = '';
  while (reader.next()) {
    const field = envelope.toString('latin1', reader.tagStart, reader.end);
    if (reader.field === TAG_FIELD) tags.push(field);
    else others += field;
  }
  return others + tags.sort().join('');
}

interface Row {
  readonly batch: Batch;
  readonly index: number;
}

function compareRows(a: Row, b: Row): number {
  return compareTime(
    a.batch.timeHigh[a.index] ?? 0,
    a.batch.timeLow[a.index] ?? 0,
    b.batch.timeHigh[b.index] ?? 0,
    b.batch.timeLow[b.index] ?? 0,
  );
}

function scanned(packed: PackedBatch): Batch {
  const batch = new Batch(Math.max(1, packed.count));
  assert(scanBatch(packed.bytes, batch), 'what a client returned has passed a scan');
  return batch;
}
