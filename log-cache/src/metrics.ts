/** What a log cache counts, by the names of log-cache-release v3.2.0. */

import type { Counter, Metrics } from '@standpipe/plumbing';

export interface StoreMetrics {
  readonly ingress: Counter;
  readonly expired: Counter;
}

/** Declares the store's metrics; `size` and `periodMs` are asked when somebody looks. */
export function storeMetrics(
  metrics: Metrics,
  read: { readonly size: () => number; readonly periodMs: () => number },
): StoreMetrics {
  metrics.gauge('log_cache_store_size', 'Envelopes that the store holds.', {
    unit: 'entries',
    read: read.size,
  });
  metrics.gauge('log_cache_cache_period', 'The age of the oldest envelope that the store holds.', {
    unit: 'milliseconds',
    read: read.periodMs,
  });
  return {
    ingress: metrics.counter('log_cache_ingress', 'Envelopes put into the store.'),
    expired: metrics.counter(
      'log_cache_expired',
      'Envelopes given up: beyond the cap of their source, or for want of memory.',
    ),
  };
}

export function egressMetric(metrics: Metrics): Counter {
  return metrics.counter('log_cache_egress', 'Envelopes that the store returned to readers.');
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

export function tailDropped(metrics: Metrics): Counter {
  return metrics.counter(
    'log_cache_tail_dropped',
    'Envelopes dropped because whoever tails their source was slow.',
  );
}
