/** What the tests of PromQL share: envelopes of metrics, and a querier over a store of them. */

import { Metrics } from '@standpipe/plumbing';
import { longOf } from '@standpipe/protos/testing';
import { Store } from '../store.ts';
import { batchOf, type EnvelopeInit } from '../testing.ts';
import type { Result } from './format.ts';
import type { Labels } from './labels.ts';
import { LocalSeries } from './local-series.ts';
import { METRIC_NAME } from './names.ts';
import { type Asker, Querier, type QuerierOptions } from './querier.ts';
import type { Pace } from './series.ts';

export const ANYBODY: Asker = { signal: new AbortController().signal };

interface Where {
  readonly source?: string;
  readonly instance?: string;
  readonly tags?: Readonly<Record<string, string>>;
}

/** An envelope of some second, with a fraction that PromQL does not see. */
function envelope(
  second: number,
  { source = 'app', instance = '', tags = {} }: Where,
): EnvelopeInit {
  const timestamp = longOf(BigInt(second) * 1_000_000_000n + 123_456_000n);
  return { timestamp, source_id: source, instance_id: instance, tags: { ...tags } };
}

export function gaugeAt(
  second: number,
  metrics: Readonly<Record<string, number>>,
  where: Where = {},
): EnvelopeInit {
  const entries = Object.entries(metrics).map(([name, value]) => [name, { unit: 'u', value }]);
  return { ...envelope(second, where), gauge: { metrics: Object.fromEntries(entries) } };
}

export function counterAt(
  second: number,
  name: string,
  total: number | bigint,
  where: Where = {},
): EnvelopeInit {
  const counter = { name, delta: 1, total: longOf(BigInt(total)) };
  return { ...envelope(second, where), counter };
}

export function timerAt(
  second: number,
  name: string,
  nanoseconds: bigint,
  where: Where = {},
): EnvelopeInit {
  const start = BigInt(second) * 1_000_000_000n;
  const timer = { name, start: longOf(start), stop: longOf(start + nanoseconds) };
  return { ...envelope(second, where), timer };
}

export function logAt(
  second: number,
  where: Where & { readonly isError?: boolean } = {},
): EnvelopeInit {
  const log = { payload: Buffer.from('line'), type: where.isError ? 1 : 0 };
  return { ...envelope(second, where), log };
}

export interface TestQuerier {
  readonly store: Store;
  readonly metrics: Metrics;
  readonly querier: Querier;
  put(...envelopes: readonly EnvelopeInit[]): void;
  /** The result of an instant query, as lines. */
  ask(query: string, second: number, asker?: Partial<Asker>): Promise<readonly string[]>;
}

/** A machine may be busy: only what is about time has less. */
const TIMEOUT_MS = 120_000;

export function testQuerier(options: Partial<QuerierOptions> = {}): TestQuerier {
  const metrics = new Metrics({ origin: 'test' });
  const store = new Store({ memoryLimitBytes: 64 * 2 ** 20, metrics });
  const querier = new Querier({
    source: new LocalSeries(store, metrics),
    metrics,
    timeoutMs: TIMEOUT_MS,
    ...options,
  });
  return {
    store,
    metrics,
    querier,
    put: (...envelopes) => store.put(batchOf(envelopes)),
    ask: async (query, second, asker = {}) =>
      querier.instant(query, second * 1000, { ...ANYBODY, ...asker }, async ({ result }) =>
        linesOf(result),
      ),
  };
}

/** A result as lines that are easy to compare: labels, then times and values. */
export function linesOf(result: Result): readonly string[] {
  switch (result.type) {
    case 'scalar':
    case 'string':
      return [`${result.type} ${result.value}`];
    case 'vector':
      return result.samples.map(({ labels, value }) => `${named(labels)} ${value}`);
    case 'matrix':
      return result.series.map(({ labels, times, values }) => {
        const points = Array.from(times, (time, index) => `${time / 1000}:${values[index]}`);
        return `${named(labels)} ${points.join(' ')}`;
      });
  }
}

/** As one writes a selector: `name{a="b"}`. */
function named(labels: Labels): string {
  return labels.get(METRIC_NAME) + String(labels.nameless);
}

/** Pauses after so much work, and counts how often, and how much was done in all and at once. */
export class CountingPace implements Pace {
  readonly signal: AbortSignal = ANYBODY.signal;
  readonly deadlineMs: number = Number.POSITIVE_INFINITY;
  pauses = 0;
  work = 0;
  most = 0;
  held = 0;
  mostHeld = 0;
  #since = 0;

  isDue(work: number): boolean {
    this.work += work;
    this.#since += work;
    this.most = Math.max(this.most, this.#since);
    return this.#since > 5000;
  }

  async pause(): Promise<void> {
    this.pauses += 1;
    this.#since = 0;
  }

  hold(samples: number): void {
    this.held += samples;
    this.mostHeld = Math.max(this.mostHeld, this.held);
  }
}
