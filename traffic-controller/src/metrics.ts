/**
 * What the Traffic Controller counts: the counts of Loggregator v107.0.21, and those of losses
 * that it knew of but didn't count.
 *
 * `ingress` is `egress` and `dropped` and what waits: nothing comes in that is in none of them.
 */

import type { Counter, Gauge, Metrics } from '@standpipe/plumbing';

/** For requests that were answered with an error; koaApp counts those that it answers itself. */
export { countRefused } from '@standpipe/plumbing';

/** Which of the two websocket doors somebody came in by. */
export type DoorName = 'firehose' | 'stream';

/** Which of the two doors to what the log cache holds of an app, by the last part of its path. */
export type RecentName = 'recentlogs' | 'containermetrics';

/** Why envelopes that had arrived were not sent. */
export type DropReason = 'slow_consumer' | 'keep_alive' | 'disconnected' | 'shutdown';

export interface TrafficControllerMetrics {
  readonly ingress: Counter;
  readonly egress: Readonly<Record<DoorName, Counter>>;
  readonly dropped: Readonly<Record<DropReason, Counter>>;
  readonly malformed: Counter;
  readonly slowConsumers: Counter;
  readonly keepAliveFailures: Counter;
  readonly badFrames: Counter;
  readonly refused: Counter;
  readonly unauthorized: Counter;
}

const EGRESS_HELP = 'Envelopes written to websockets.';
const DROPPED_HELP =
  'Envelopes received from Dopplers for a consumer that left before they were sent.';

export function trafficControllerMetrics(metrics: Metrics): TrafficControllerMetrics {
  const dropped = (reason: DropReason): Counter =>
    metrics.counter('dropped', DROPPED_HELP, { direction: 'egress', reason });
  return {
    ingress: metrics.counter('ingress', 'Envelopes received from Dopplers.', { protocol: 'grpc' }),
    egress: {
      firehose: metrics.counter('egress', EGRESS_HELP, { endpoint: 'firehose' }),
      stream: metrics.counter('egress', EGRESS_HELP, { endpoint: 'stream' }),
    },
    dropped: {
      slow_consumer: dropped('slow_consumer'),
      keep_alive: dropped('keep_alive'),
      disconnected: dropped('disconnected'),
      shutdown: dropped('shutdown'),
    },
    malformed: metrics.counter(
      'malformed_batches',
      'Messages from Dopplers that were no BatchResponse, and were left out whole.',
    ),
    slowConsumers: metrics.counter(
      'doppler_proxy.slow_consumer',
      'Websockets closed because what was written to them waited too long.',
    ),
    keepAliveFailures: metrics.counter(
      'doppler_proxy.keep_alive_failures',
      'Websockets closed because a ping was not answered in time.',
    ),
    badFrames: metrics.counter(
      'doppler_proxy.bad_frames',
      'Websockets closed because their client sent what is no websocket frame, or one too long.',
    ),
    refused: metrics.counter(
      'doppler_proxy.refused',
      'Consumers refused with 503 because there were as many as there may be.',
    ),
    unauthorized: metrics.counter(
      'doppler_proxy.unauthorized',
      'Requests refused because of their token, or because nobody could say what it is worth.',
    ),
  };
}

/** What is known of the reading of recent logs and container metrics. */
export interface RecentMetrics {
  readonly latency: Readonly<Record<RecentName, Gauge>>;
  readonly failures: Counter;
}

export function recentMetrics(metrics: Metrics): RecentMetrics {
  const latency = (name: string, what: string): Gauge => {
    const help = `How long the last request for ${what} took.`;
    return metrics.gauge(`doppler_proxy.${name}_latency`, help, { unit: 'ms' });
  };
  return {
    latency: {
      recentlogs: latency('recent_logs', 'recent logs'),
      containermetrics: latency('container_metrics', 'container metrics'),
    },
    failures: metrics.counter(
      'doppler_proxy.log_cache_failure',
      'Requests for recent logs or container metrics that the log cache refused.',
    ),
  };
}

/** The gauges, read when they are asked for. */
export function trafficControllerGauges(
  metrics: Metrics,
  read: {
    readonly consumers: (door: DoorName) => number;
    readonly dopplers: () => number;
  },
): void {
  metrics.gauge('doppler_proxy.firehoses', 'Open firehose websockets.', {
    unit: 'connections',
    read: () => read.consumers('firehose'),
  });
  metrics.gauge('doppler_proxy.app_streams', 'Open websockets of one app each.', {
    unit: 'connections',
    read: () => read.consumers('stream'),
  });
  metrics.gauge('dopplers', 'Dopplers that are connected.', {
    unit: 'connections',
    read: read.dopplers,
  });
}
