/** What queries count, by the names of log-cache-release v3.2.0. */

import type { Counter, Gauge, Metrics } from '@standpipe/plumbing';

export interface PromQlMetrics {
  readonly timeouts: Counter;
  readonly instantMs: Gauge;
  readonly rangeMs: Gauge;
}

const MILLISECONDS = { unit: 'milliseconds', labels: { unit: 'milliseconds' } };

export function promQlMetrics(metrics: Metrics): PromQlMetrics {
  return {
    timeouts: metrics.counter(
      'log_cache_promql_timeout',
      'PromQL queries that took too long, or whose data could not be read.',
    ),
    instantMs: metrics.gauge(
      'log_cache_promql_instant_query_time',
      'How long the last instant query took.',
      MILLISECONDS,
    ),
    rangeMs: metrics.gauge(
      'log_cache_promql_range_query_time',
      'How long the last range query took.',
      MILLISECONDS,
    ),
  };
}
