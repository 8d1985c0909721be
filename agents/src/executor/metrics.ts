/**
 * What the executor counts. Lines and envelopes are counted apart, for a cell logs and measures
 * besides. Of the lines, `ingress` less what was dropped with direction ingress became envelopes.
 */

import type { Counter, Metrics } from '@standpipe/plumbing';
import type { Cell } from './cell.ts';
import type { Outlet } from './instance-output.ts';

export interface ExecutorMetrics {
  /** Lines that instances wrote. */
  readonly lines: Counter;
  /** Lines over an app's log rate limit. */
  readonly droppedLines: Counter;
  /** Envelopes that the agent did not take. */
  readonly droppedEnvelopes: Counter;
  /** Instances that ended though they were to run. */
  readonly crashes: Counter;
}

export function executorMetrics(metrics: Metrics): ExecutorMetrics {
  const dropped = (direction: string): Counter =>
    metrics.counter(
      'dropped',
      'Lines over a log rate limit (ingress); envelopes that the agent did not take (egress).',
      { direction },
    );
  return {
    lines: metrics.counter('ingress', 'Lines that instances wrote to stdout and stderr.'),
    droppedLines: dropped('ingress'),
    droppedEnvelopes: dropped('egress'),
    crashes: metrics.counter('crashes', 'Instances that ended though they were to run.'),
  };
}

/** What is read where it stands when it is asked for. */
export function declareStateMetrics(metrics: Metrics, outlet: Outlet, cell: Cell): void {
  metrics.gauge('waiting', 'Envelopes that wait for the agent.', { read: () => outlet.waiting });
  metrics.gauge('connected', 'Whether the agent is connected, 1 or 0.', {
    read: () => (outlet.isConnected ? 1 : 0),
  });
  metrics.gauge('instances', 'Instances that should run (desired), and that do (running).', {
    labels: { state: 'desired' },
    read: () => cell.desired,
  });
  metrics.gauge('instances', 'Instances that should run (desired), and that do (running).', {
    labels: { state: 'running' },
    read: () => cell.instances.length,
  });
}
