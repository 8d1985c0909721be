/**
 * What the syslog adapter counts. The names are those of the syslog agent in
 * loggregator-agent-release v8.3.9; `unsendable`, `unmatched`, `malformed` and
 * `binding_refresh_error` are our own.
 *
 * For each drain: taken in = sent + dropped + unsendable + what waits, in envelopes; `egress` counts
 * messages, and a gauge makes several. Drains of one URL share a series, and past URLS_MAX URLs
 * all others share one, so that metrics cannot grow without end.
 */

import type { Counter, Gauge, Metrics } from '@standpipe/plumbing';

/** What a drain counts under its URL. */
export interface DrainCounters {
  readonly egress: Counter;
  readonly dropped: Counter;
}

/** What the bindings file's reader counts. */
export interface BindingMetrics {
  readonly refreshes: Counter;
  readonly refreshErrors: Counter;
  readonly latency: Gauge;
  readonly invalid: Gauge;
}

export interface AdapterMetrics extends BindingMetrics {
  readonly ingress: Counter;
  readonly ingressAllDrains: Counter;
  readonly dropped: Counter;
  readonly unsendable: Counter;
  readonly unmatched: Counter;
  readonly malformed: Counter;
  readonly drains: Gauge;
  /** The counters of the drains with this URL. */
  drain(shownUrl: string): DrainCounters;
}

const URLS_MAX = 1000;
const OTHER_URLS = 'other';

export function adapterMetrics(metrics: Metrics): AdapterMetrics {
  const urls = new Map<string, DrainCounters>();
  return {
    ...bindingMetrics(metrics),
    ingress: metrics.counter('ingress', 'Envelopes received.', { scope: 'agent' }),
    ingressAllDrains: metrics.counter(
      'ingress',
      'Envelopes times the drains of their apps, before the drains choose.',
      { scope: 'all_drains' },
    ),
    dropped: metrics.counter('dropped', 'Envelopes dropped because a drain was slow or gone.', {
      direction: 'egress',
    }),
    unsendable: metrics.counter('unsendable', 'Envelopes that RFC 5424 has no text for.'),
    unmatched: metrics.counter('unmatched', 'Envelopes of apps that have no drain any more.'),
    malformed: metrics.counter('malformed', 'Batches that could not be read.'),
    drains: metrics.gauge('drains', 'Drains that are bound.', { unit: 'count' }),
    drain: (shownUrl) => {
      const url = urls.has(shownUrl) || urls.size < URLS_MAX ? shownUrl : OTHER_URLS;
      const counters = urls.get(url) ?? drainCounters(metrics, url);
      urls.set(url, counters);
      return counters;
    },
  };
}

function bindingMetrics(metrics: Metrics): BindingMetrics {
  return {
    refreshes: metrics.counter('binding_refresh_count', 'Times that bindings were read.'),
    refreshErrors: metrics.counter('binding_refresh_error', 'Times that they could not be read.'),
    latency: metrics.gauge('latency_for_last_binding_refresh', 'How long reading them took last.', {
      unit: 'ms',
    }),
    invalid: metrics.gauge('invalid_drains', 'Drains that were refused when they were read last.', {
      unit: 'total',
    }),
  };
}

function drainCounters(metrics: Metrics, url: string): DrainCounters {
  const labels = { direction: 'egress', drain_scope: 'app', drain_url: url };
  return {
    egress: metrics.counter('egress', 'Messages sent.', labels),
    dropped: metrics.counter('messages_dropped_per_drain', 'Envelopes dropped per drain.', labels),
  };
}
