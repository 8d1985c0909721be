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
  type PackedBatch,
  scanBatch,
} from '@standpipe/protos';

/** The number of an envelope's tags. */
const TAG_FIELD = 9;

export interface MergeOptions {
  readonly limit: number;
  readonly descending: boolean;
  /** Whether several may have the same envelope, which is then given once. */
  readonly withoutRepeats?: boolean;
}

export function mergeBatches(batches: readonly PackedBatch[], options: MergeOptions): PackedBatch {
  const ordered = options.descending ? batches.toReversed() : batches;
  const rows = ordered.map(scanned);
  const places = rows.map(() => 0);
  const into = new BatchBuilder();
  const run = options.withoutRepeats === true ? new Run() : undefined;
  let last: Row | undefined;

  for (;;) {
    const which = nextOf(rows, places, options.descending);
    if (which < 0) break;
    const batch = rows[which] as Batch; // nextOf returns an index of both arrays.
    const index = places[which] as number;
    if (into.count >= options.limit && last && compareRows(last, { batch, index }) !== 0) break;
    places[which] = index + 1;
    if (last && compareRows(last, { batch, index }) !== 0) run?.restart();
    if (run?.repeats({ batch, index }, which)) continue;
    into.add(batch, index);
    last = { batch, index };
  }
  return into.take();
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
function fieldsOf(envelope: Buffer): string {
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
