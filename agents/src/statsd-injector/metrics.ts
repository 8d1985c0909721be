/**
 * What a statsd injector counts: received = parsed + rejected, and
 * parsed = egress + dropped + waiting; of egress, at most `unconfirmed` never arrived.
 */

import type { Counter, Metrics } from '@standpipe/plumbing';
import type { Rejection } from './line.ts';

export interface InjectorMetrics {
  readonly received: Counter;
  readonly parsed: Counter;
  readonly rejected: Readonly<Record<Rejection, Counter>>;
  readonly tagsLeftOut: Counter;
  readonly seriesForgotten: Counter;
  readonly egress: Counter;
  readonly dropped: Counter;
  readonly unconfirmed: Counter;
}

/** What is read when it is asked for. */
export interface InjectorReadings {
  readonly waiting: () => number;
  readonly series: () => number;
}

export function injectorMetrics(metrics: Metrics, readings: InjectorReadings): InjectorMetrics {
  metrics.gauge('waiting', 'Envelopes that wait for the agent.', { read: readings.waiting });
  metrics.gauge('series', 'Counters and gauges that are remembered.', { read: readings.series });
  const rejected = (reason: Rejection): Counter =>
    metrics.counter('rejected', 'Lines refused, by what is wrong with them.', { reason });
  return {
    received: metrics.counter('received', 'Lines received.'),
    parsed: metrics.counter('parsed', 'Lines that became envelopes.'),
    rejected: {
      name: rejected('name'),
      origin: rejected('origin'),
      value: rejected('value'),
      type: rejected('type'),
      rate: rejected('rate'),
      utf8: rejected('utf8'),
    },
    tagsLeftOut: metrics.counter('tags_left_out', 'Tags beyond the 64th, or longer than 1 KiB.'),
    seriesForgotten: metrics.counter(
      'series_forgotten',
      'Counters and gauges that begin again at zero: too many, or unused for a day.',
    ),
    egress: metrics.counter('egress', 'Envelopes sent to the agent.'),
    dropped: metrics.counter('dropped', 'Envelopes thrown away, the oldest first.'),
    unconfirmed: metrics.counter(
      'unconfirmed',
      'Envelopes sent on a stream that broke: the most that may not have arrived.',
    ),
  };
}
