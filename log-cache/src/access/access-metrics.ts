/** What is counted of access; the latencies by the names of log-cache-release v3.2.0. */

import type { Counter, Gauge, Metrics } from '@standpipe/plumbing';

/** Why a request was refused. */
export type RefusalReason =
  | 'no-token'
  | 'bad-token'
  | 'no-keys'
  | 'not-allowed'
  | 'bad-query'
  | 'no-source'
  | 'unknown-path'
  | 'unimplemented';

export function accessRefused(metrics: Metrics, reason: RefusalReason): Counter {
  return metrics.counter('log_cache_access_refused', 'Requests that were refused, by the reason.', {
    reason,
  });
}

export function accessEvictions(
  metrics: Metrics,
  cache: 'tokens' | 'sources' | 'lists' | 'names',
): Counter {
  return metrics.counter(
    'log_cache_access_evictions',
    'What was known of tokens and forgotten before its time, for there was too much of it.',
    { cache },
  );
}

export function tokenKeyFailures(metrics: Metrics): Counter {
  return metrics.counter('log_cache_token_key_failures', 'Keys for tokens that UAA did not give.');
}

export function cloudControllerFailures(metrics: Metrics): Counter {
  return metrics.counter(
    'log_cache_cloud_controller_failures',
    'Questions that Cloud Controller did not answer.',
  );
}

export function cloudControllerLatencies(
  metrics: Metrics,
): Readonly<Record<'apps' | 'serviceInstances' | 'appsByName', Gauge>> {
  const latency = (name: string, help: string): Gauge =>
    metrics.gauge(`cf_auth_proxy_last_capiv3_${name}_latency`, help, {
      unit: 'nanoseconds',
      labels: { unit: 'nanoseconds' },
    });
  return {
    apps: latency('apps', 'How long Cloud Controller took to list apps last.'),
    serviceInstances: latency(
      'list_service_instances',
      'How long Cloud Controller took to list service instances last.',
    ),
    appsByName: latency('apps_by_name', 'How long Cloud Controller took to find names last.'),
  };
}
