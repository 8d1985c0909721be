/** What a syslog server counts, by the names of log-cache-release v3.2.0 where it has them. */

import type { Counter, Metrics } from '@standpipe/plumbing';

export interface SyslogServerMetrics {
  readonly ingress: Counter;
  readonly invalidIngress: Counter;
}

export function syslogServerMetrics(
  metrics: Metrics,
  read: { readonly connections: () => number; readonly pendingBytes: () => number },
): SyslogServerMetrics {
  metrics.gauge('connections', 'Connections that are open.', { read: read.connections });
  metrics.gauge('pending_bytes', 'The memory held for messages that are not all there.', {
    read: read.pendingBytes,
  });
  return {
    ingress: metrics.counter('ingress', 'Messages that became envelopes.'),
    invalidIngress: metrics.counter(
      'invalid_ingress',
      'Messages that could not be read, and connections without any.',
    ),
  };
}

export interface NozzleMetrics {
  readonly ingress: Counter;
  readonly egress: Counter;
  readonly err: Counter;
  readonly dropped: Counter;
}

export function nozzleMetrics(metrics: Metrics, waiting: () => number): NozzleMetrics {
  metrics.gauge('nozzle_waiting', 'Envelopes that wait to be sent.', { read: waiting });
  return {
    ingress: metrics.counter('nozzle_ingress', 'Envelopes to be sent.'),
    egress: metrics.counter('nozzle_egress', 'Envelopes sent.'),
    err: metrics.counter('nozzle_err', 'Sends that failed.'),
    dropped: metrics.counter(
      'nozzle_dropped',
      'Envelopes dropped, because whom they are for was away or slow, or did not want them.',
    ),
  };
}
