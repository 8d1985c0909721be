/**
 * What the gateway counts. The latencies have the names of Loggregator v107.0.21, which has no
 * other metrics of the gateway; the rest are our own. Nothing is dropped here.
 */

import type { Counter, Gauge, Metrics } from '@standpipe/plumbing';

/** Why a stream ended: the client left or stalled, it was time, or one of us ended it. */
export type StreamEnd = 'client' | 'stalled' | 'timeout' | 'upstream' | 'shutdown';

export interface GatewayMetrics {
  readonly streams: Gauge;
  readonly ended: Readonly<Record<StreamEnd, Counter>>;
  readonly egress: Counter;
  readonly malformed: Counter;
  readonly refused: Counter;
  readonly unavailable: Counter;
  readonly uaaLatency: Gauge;
  readonly logAccessLatency: Gauge;
  readonly serviceInstancesLatency: Gauge;
}

export function gatewayMetrics(metrics: Metrics): GatewayMetrics {
  const latency = (name: string, of: string): Gauge =>
    metrics.gauge(name, `How long ${of} took to answer last.`, { unit: 'ns' });
  const ended = (reason: StreamEnd): Counter =>
    metrics.counter('streams_ended', 'Streams that ended, and why.', { reason });
  // The original shows these two, of questions that it no longer asks.
  latency('LastCAPIV3AppsLatency', "Cloud Controller's apps").set(0);
  latency('LastCAPIV2ListServiceInstancesLatency', "Cloud Controller's list of services").set(0);
  return {
    streams: metrics.gauge('streams', 'Streams that are open now.', { unit: 'total' }),
    ended: {
      client: ended('client'),
      stalled: ended('stalled'),
      timeout: ended('timeout'),
      upstream: ended('upstream'),
      shutdown: ended('shutdown'),
    },
    egress: metrics.counter('egress', 'Envelopes sent.'),
    malformed: metrics.counter('malformed', 'Batches that could not be read.'),
    refused: metrics.counter('refused', 'Requests that were answered with an error below 500.'),
    unavailable: metrics.counter('unavailable', 'Requests for which the proxy gave no stream.'),
    uaaLatency: latency('LastUAALatency', 'UAA'),
    logAccessLatency: latency('LastCAPIV4LogAccessLatency', "Cloud Controller's log access"),
    serviceInstancesLatency: latency(
      'LastCAPIV2ServiceInstancesLatency',
      "Cloud Controller's service instances",
    ),
  };
}
