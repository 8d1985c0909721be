/** What the platform counts. */

import type { Counter, Metrics } from '@standpipe/plumbing';

export interface PlatformMetrics {
  issued(grant: string): Counter;
  /** By UAA's word for the error. */
  refused(error: string): Counter;
  logAccess(answer: 'allowed' | 'refused' | 'unauthorized'): Counter;
  /** Other requests, by UAA's word or Cloud Controller's title. */
  requestsRefused(error: string): Counter;
  readonly revocationsForgotten: Counter;
  readonly fileErrors: Counter;
}

export function platformMetrics(metrics: Metrics): PlatformMetrics {
  return {
    issued: (grant) => metrics.counter('tokens_issued', 'Tokens issued, by grant.', { grant }),
    refused: (error) =>
      metrics.counter('tokens_refused', 'Requests for a token that were refused.', { error }),
    logAccess: (answer) =>
      metrics.counter('log_access', 'Questions whether somebody may read logs.', { answer }),
    requestsRefused: (error) =>
      metrics.counter('requests_refused', 'Other requests that were refused.', { error }),
    revocationsForgotten: metrics.counter(
      'revocations_forgotten',
      'Revoked tokens that are good again, for there were too many.',
    ),
    fileErrors: metrics.counter('file_errors', 'Edits of the file that were not taken.'),
  };
}
