/**
 * What a Doppler counts. The names are those of Loggregator v107.0.21, so that dashboards carry
 * over; `malformed` and `refused_subscriptions` are our own. At any time ingress = what subscriptions and the log cache were
 * given, and for a subscription: given = egress + dropped + what waits.
 */

import type { Counter, Gauge, Metrics } from '@standpipe/plumbing';

export interface DopplerMetrics {
  readonly ingress: Counter;
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
  return {
    ingress: metrics.counter(
      'ingress',
      'Envelopes received, counted as they came: a gauge counts once, however many v1 envelopes it makes.',
    ),
    egress: metrics.counter('egress', 'Envelopes sent to subscribers, v1 and v2.'),
    droppedIngress: metrics.counter('dropped', DROPPED_HELP, { direction: 'ingress' }),
    droppedEgress: metrics.counter('dropped', DROPPED_HELP, { direction: 'egress' }),
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
