/** The count of HTTP requests that were refused, whoever refuses them. */

import type { Metrics } from './metrics.ts';

const NAME = 'http_refused';
const HELP = 'Requests that were answered with an error, by its status.';

export function countRefused(metrics: Metrics, status: number): void {
  metrics.counter(NAME, HELP, { status: String(status) }).add(1);
}
