/**
 * What a Doppler counts. The names are those of Loggregator v107.0.21, so that dashboards carry
 * over; `received`, `egress_dropped`, `malformed` and `refused_subscriptions` are our own, and so
 * is `dropped_by_subscriber` (slow-subscribers.ts).
 *
 * `ingress` counts v1 envelopes, as the original's does: what has no v1 form counts for nothing,
 * and a gauge for each of its metrics. The laws hold for `received`, which counts what came:
 *
 *     received = what the log cache was given + v1 envelopes of types that v2 does not know
 *     given to a subscription = egress + dropped + what waits for it
 */

import type { Counter, Gauge, Metrics } from '@standpipe/plumbing';

/**
 * What an earlier Doppler told of dropped envelopes by, when it dropped some. Old nozzles take an
 * event of this name and origin, whatever it counts, for the sign that they are too slow.
 */
export const SLOW_CONSUMER_ALARM: string = 'TruncatingBuffer.DroppedMessages';

export interface DopplerMetrics {
  readonly ingress: Counter;
  readonly received: Counter;
  readonly egress: Counter;
  readonly droppedIngress: Counter;
  readonly droppedEgress: Counter;
  readonly malformed: Counter;
  readonly refusedSubscriptions: Counter;
  readonly subscriptions: Gauge;
}

const DROPPED_HELP =
  'Envelopes dropped: in direction egress because a subscriber was slow or left; in direction ingress none are, since nothing waits there.';

export function dopplerMetrics(metrics: Metrics): DopplerMetrics {
  const droppedEgress = metrics.counter('dropped', DROPPED_HELP, { direction: 'egress' });
  metrics.counter(
    'egress_dropped',
    'The same as dropped in direction egress, under a name that nothing can mix up.',
    {},
    () => droppedEgress.value,
  );
  metrics.counter(
    SLOW_CONSUMER_ALARM,
    'The same once more, as old nozzles know it.',
    { origin: 'doppler' },
    () => droppedEgress.value,
  );
  return {
    ingress: metrics.counter(
      'ingress',
      'Envelopes received, counted as v1 envelopes: an event or an empty one counts 0, a gauge 1 for each metric, or 1 if it is of a container.',
    ),
    received: metrics.counter('received', 'Envelopes received, each counted once.'),
    egress: metrics.counter('egress', 'Envelopes sent to subscribers, v1 and v2.'),
    droppedIngress: metrics.counter('dropped', DROPPED_HELP, { direction: 'ingress' }),
    droppedEgress,
    malformed: metrics.counter(
      'malformed',
      'Messages received that could not be read: a v2 one ends its stream, a v1 one is passed over.',
    ),
    refusedSubscriptions: metrics.counter(
      'refused_subscriptions',
      'Subscriptions refused because MAX_SUBSCRIPTIONS were open already.',
    ),
    subscriptions: metrics.gauge('subscriptions', 'Subscriptions that are open now, v1 and v2.', {
      unit: 'subscriptions',
    }),
  };
}
