/**
 * The series of a node's own store.
 *
 * Envelopes are read where they lie (collector.ts). A source is walked in pieces of a few
 * milliseconds; what is put meanwhile may or may not be seen. What is read counts as egress, as what
 * is returned to other readers does.
 */

import type { Counter, Metrics } from '@standpipe/plumbing';
import { splitTime } from '@standpipe/protos';
import type { Cursor } from '../cursor.ts';
import { egressMetric } from '../metrics.ts';
import type { Store } from '../store.ts';
import { Collector } from './collector.ts';
import { SOURCE_ID } from './names.ts';
import type { Pace, Selected, Selection, SeriesSource } from './series.ts';
import { sourcesOf } from './sources.ts';
import { secondMsOf } from './whole-seconds.ts';

/** What one envelope costs, in steps of work. */
const WORK_PER_ENVELOPE = 4;
const NANOSECONDS_PER_MS = 1_000_000n;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

interface Walked {
  readonly selection: Selection;
  readonly collector: Collector;
  readonly pace: Pace;
}

export class LocalSeries implements SeriesSource {
  readonly #store: Store;
  readonly #egress: Counter;

  constructor(store: Store, metrics: Metrics) {
    this.#store = store;
    this.#egress = egressMetric(metrics);
  }

  async select(selection: Selection, pace: Pace): Promise<Selected> {
    const collector = new Collector(selection);
    try {
      await this.#walkSources({ selection, collector, pace });
    } finally {
      // Also of a query that is given up: it was read.
      this.#egress.add(collector.readCount);
    }
    return { series: await collector.take(pace), unreachable: [] };
  }

  async #walkSources(into: Walked): Promise<void> {
    const { selection, pace } = into;
    const matchers = selection.matchers.filter(({ name }) => name === SOURCE_ID);
    for (const id of sourcesOf(selection) ?? this.#store.sourceIds()) {
      const isAsked = matchers.every((matcher) => matcher.matches(id));
      const work = matchers.reduce((sum, matcher) => sum + matcher.takeWork(), WORK_PER_ENVELOPE);
      if (pace.isDue(work)) await pace.pause();
      if (!isAsked) continue;
      await this.#walk(id, into);
    }
  }

  async #walk(id: string, into: Walked): Promise<void> {
    const { selection, collector, pace } = into;
    const { endMs } = selection;
    let cursor = this.#store.cursor(id);
    if (cursor === undefined) return;
    const start = collector.wantsLogs ? INT64_MIN : startOf(selection);
    seek(cursor, start);
    let held = collector.count;
    let lastHigh = 0;
    let lastLow = 0;
    let seen = 0;
    let extra = collector.extraWork;
    while (cursor.next()) {
      const { timeHigh, timeLow } = cursor;
      const timeMs = secondMsOf(timeHigh, timeLow);
      if (timeMs > endMs) break;
      collector.addShown(cursor, timeMs);
      seen = timeHigh === lastHigh && timeLow === lastLow ? seen + 1 : 1;
      lastHigh = timeHigh;
      lastLow = timeLow;
      const work = WORK_PER_ENVELOPE + collector.extraWork - extra;
      extra = collector.extraWork;
      if (!pace.isDue(work)) continue;
      pace.hold(collector.count - held);
      held = collector.count;
      await pace.pause();
      // The cursor held only in that turn: a new one goes on behind those of the same time.
      cursor = this.#store.cursor(id);
      if (cursor === undefined) return;
      cursor.seek(timeHigh, timeLow);
      for (let skipped = 0; skipped < seen && cursor.next(); skipped += 1);
    }
    pace.hold(collector.count - held);
  }
}

function startOf({ startMs }: Selection): bigint {
  const nanoseconds = BigInt(Math.ceil(startMs / 1000) * 1000) * NANOSECONDS_PER_MS;
  if (nanoseconds < INT64_MIN) return INT64_MIN;
  return nanoseconds > INT64_MAX ? INT64_MAX : nanoseconds;
}

function seek(cursor: Cursor, nanoseconds: bigint): void {
  const { high, low } = splitTime(nanoseconds);
  cursor.seek(high, low);
}
