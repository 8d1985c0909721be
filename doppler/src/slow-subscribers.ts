/**
 * Whose envelopes were dropped: the log says it, and a metric counts it for each slow subscriber.
 *
 *     dropped_by_subscriber{shard_id, selectors, peer}
 *
 * A subscriber has no series until it is slow, so a healthy Doppler shows none. There are at most
 * SERIES_MAX, and one more takes the place of the one that has not dropped for the longest: those
 * that left can still be read about, and clients that come and go don't pile up. `dropped` counts
 * all of them, and what waited for those that left besides.
 *
 * Costs nothing while nobody is slow, and about a microsecond a batch for a subscriber that is.
 */

import type { Counter, Log, Metrics } from '@standpipe/plumbing';

/** The most subscribers that are counted apart. */
export const SERIES_MAX = 100;

const NAME = 'dropped_by_subscriber';
const HELP =
  'Envelopes dropped because this subscriber was slow; of the last hundred that were. What it subscribes to, and from where.';
const TOLD = 'dropped the oldest envelopes of a slow subscriber';

/** How a subscriber is told apart. */
export interface SubscriberName {
  readonly shardId: string;
  readonly selectors: string;
  readonly peer: string;
}

interface Slow {
  readonly labels: Readonly<Record<string, string>>;
  readonly counter: Counter;
}

export class SlowSubscribers {
  readonly #metrics: Metrics;
  readonly #log: Log;
  /** By their names, in the order of their last drops. */
  readonly #slow = new Map<string, Slow>();

  constructor({ metrics, log }: { readonly metrics: Metrics; readonly log: Log }) {
    this.#metrics = metrics;
    this.#log = log;
  }

  /** A function that tells of envelopes which this subscriber was too slow for. */
  subscriber({ shardId, selectors, peer }: SubscriberName): (count: number) => void {
    const labels = { shard_id: shardId, selectors, peer };
    const name = JSON.stringify(Object.values(labels));
    const logKey = `dropped ${shardId} ${selectors}`;
    return (count) => {
      const counter = this.#counterOf(name, labels);
      counter.add(count);
      const fields = { ...labels, count, in_all: counter.value };
      this.#log.limited(logKey, 'warn', fields, TOLD);
    };
  }

  #counterOf(name: string, labels: Slow['labels']): Counter {
    const slow = this.#slow.get(name) ?? {
      labels,
      counter: this.#metrics.counter(NAME, HELP, labels),
    };
    this.#slow.delete(name);
    this.#slow.set(name, slow);
    if (this.#slow.size > SERIES_MAX) this.#forgetOldest();
    return slow.counter;
  }

  #forgetOldest(): void {
    for (const [name, { labels }] of this.#slow) {
      this.#slow.delete(name);
      this.#metrics.remove(NAME, labels);
      return;
    }
  }
}
