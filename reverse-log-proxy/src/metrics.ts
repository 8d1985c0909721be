/**
 * What the reverse log proxy counts. The names are those of Loggregator v107.0.21; `malformed` is
 * our own. For each reader, at any time: ingress = egress + dropped + what waits.
 */

import type { Counter, Gauge, Metrics } from '@standpipe/plumbing';

export interface ProxyMetrics {
  readonly ingress: Counter;
  readonly egress: Counter;
  readonly dropped: Counter;
  readonly malformed: Counter;
  readonly rejectedStreams: Counter;
  readonly subscriptions: Gauge;
  readonly connects: Counter;
  readonly disconnects: Counter;
}

/** What the original tells its agent without a tag metric_version. */
export const UNVERSIONED: readonly string[] = ['log_router_connects', 'log_router_disconnects'];

export function proxyMetrics(metrics: Metrics): ProxyMetrics {
  return {
    ingress: metrics.counter('ingress', 'Envelopes received from Dopplers.', { protocol: 'grpc' }),
    egress: metrics.counter('egress', 'Envelopes sent to readers.'),
    dropped: metrics.counter(
      'dropped',
      'Envelopes dropped because a reader was slow, or had left before it got them.',
      { direction: 'egress' },
    ),
    malformed: metrics.counter('malformed', 'Batches from Dopplers that could not be read.'),
    rejectedStreams: metrics.counter(
      'rejected_streams',
      'Readers refused because MAX_EGRESS_STREAMS were there already.',
    ),
    subscriptions: metrics.gauge('subscriptions', 'Readers that are there now.', { unit: 'total' }),
    connects: metrics.counter('log_router_connects', 'Streams opened to Dopplers.'),
    disconnects: metrics.counter('log_router_disconnects', 'Streams that a Doppler ended.'),
  };
}
