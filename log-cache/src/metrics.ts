/**
 * What a log cache counts, by the names and labels of log-cache-release v3.2.0, whose gauges have their
 * unit for a label.
 */

import type { Counter, Metrics, Sample } from '@standpipe/plumbing';

export interface StoreMetrics {
  readonly ingress: Counter;
  readonly expired: Counter;
}

/** What is asked of a store when somebody looks. */
export interface StoreFigures {
  readonly size: number;
  readonly usedBytes: number;
  readonly limitBytes: number;
  /** How long making room took the last time that there was none. */
  readonly evictionMs: number;
  periodMs(): number;
  largest(count: number): readonly SourceFigures[];
}

export interface SourceFigures {
  readonly id: string;
  /** How many are held, and how many were given up: together, all that came. */
  readonly count: number;
  readonly expired: number;
  readonly heldBytes: number;
}

/** How many sources have series of their own, and how long their ids may be. */
const LARGEST_MAX = 50;
const ID_LENGTH_MAX = 256;

/** Declares the store's metrics. */
export function storeMetrics(metrics: Metrics, store: StoreFigures): StoreMetrics {
  const gauge = (name: string, unit: string, help: string, read: () => number): void => {
    metrics.gauge(name, help, { unit, labels: { unit }, read });
  };
  gauge('log_cache_store_size', 'entries', 'Envelopes that the store holds.', () => store.size);
  gauge(
    'log_cache_cache_period',
    'milliseconds',
    'The age of the oldest envelope that the store holds.',
    () => store.periodMs(),
  );
  memoryMetrics(gauge, store);
  sourceMetrics(metrics, store);
  return {
    ingress: metrics.counter('log_cache_ingress', 'Envelopes put into the store.'),
    expired: metrics.counter(
      'log_cache_expired',
      'Envelopes given up: beyond the cap of their source, or for want of memory.',
    ),
  };
}

function memoryMetrics(
  gauge: (name: string, unit: string, help: string, read: () => number) => void,
  store: StoreFigures,
): void {
  gauge(
    'log_cache_truncation_duration',
    'milliseconds',
    'How long making room for an envelope took the last time that there was none.',
    () => store.evictionMs,
  );
  gauge(
    'log_cache_memory_utilization',
    'percentage',
    'How much of its budget the store uses.',
    () => (store.usedBytes * 100) / store.limitBytes,
  );
  gauge(
    'log_cache_heap_in_use_memory',
    'bytes',
    'The memory of all envelopes and indexes in the store.',
    () => store.usedBytes,
  );
  gauge('log_cache_total_system_memory', 'bytes', "The store's budget.", () => store.limitBytes);
  gauge(
    'log_cache_available_system_memory',
    'bytes',
    'The memory that is free on the machine, or in the container.',
    () => process.availableMemory(),
  );
  gauge('log_cache_uptime', 'seconds', 'How long the process has run.', () =>
    Math.floor(process.uptime()),
  );
}

/** What came to the sources that take the most memory, as Prometheus text only. */
function sourceMetrics(metrics: Metrics, store: StoreFigures): void {
  const collect = (
    name: string,
    type: 'counter' | 'gauge',
    help: string,
    of: (source: SourceFigures) => number,
  ): void => {
    const read = (): Sample[] =>
      store
        .largest(LARGEST_MAX)
        .filter(({ id }) => id.length <= ID_LENGTH_MAX)
        .map((source) => ({ labels: { source_id: source.id }, value: of(source) }));
    metrics.collect({ name, type, help, read });
  };
  collect(
    'log_cache_source_ingress',
    'counter',
    'Envelopes put to a source, of the fifty that take the most memory.',
    ({ count, expired }) => count + expired,
  );
  collect(
    'log_cache_source_expired',
    'counter',
    'Envelopes that such a source has given up.',
    ({ expired }) => expired,
  );
  collect(
    'log_cache_source_bytes',
    'gauge',
    'The memory that such a source takes.',
    ({ heldBytes }) => heldBytes,
  );
}

export function egressMetric(metrics: Metrics): Counter {
  return metrics.counter(
    'log_cache_egress',
    'Envelopes that the store returned to readers, PromQL among them.',
  );
}

export function peerDropped(metrics: Metrics, nodeIndex: number): Counter {
  return metrics.counter(
    'ingress_dropped',
    'Envelopes dropped because their owner was slow or gone.',
    { nodeIndex: String(nodeIndex) },
  );
}

export function sendFailures(metrics: Metrics): Counter {
  return metrics.counter(
    'log_cache_send_failures',
    'Batches that their owner did not take, and times that it could not be reached.',
    {
      sender: 'batched_ingress_client',
    },
  );
}

export function invalidIngress(metrics: Metrics): Counter {
  return metrics.counter('invalid_ingress', 'Send requests that could not be read.');
}

export function tailsGauge(metrics: Metrics, read: () => number): void {
  metrics.gauge('log_cache_tails', 'Tails of this store that are open.', { read });
}

/** Why a tail is refused: its client has as many as one may have, or the node has. */
export function tailsRefused(metrics: Metrics, reason: 'client' | 'node'): Counter {
  return metrics.counter(
    'log_cache_tails_refused',
    'Tails that were refused, because their client or the node has as many as may be.',
    { reason },
  );
}

export function readsRefused(metrics: Metrics): Counter {
  return metrics.counter(
    'log_cache_reads_refused',
    'Reads and queries that were refused because too much was on its way to slow clients.',
  );
}

export function tailDropped(metrics: Metrics): Counter {
  return metrics.counter(
    'log_cache_tail_dropped',
    'Envelopes dropped because whoever tails their source was slow.',
  );
}
