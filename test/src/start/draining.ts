/** What the screen says while `npm start` ends, of processes that take their time: what they wait for. */

import type { ManagedProcess } from '../process.ts';

const WAITS: Readonly<Record<string, string>> = {
  executor: 'for its apps to end',
  doppler: 'for subscribers to take what waits, and saves its log cache',
  syslog_adapter: 'for drains to take what waits; their receivers may be gone',
};

/** A line for each. */
export function drainingLines(
  processes: readonly Pick<ManagedProcess, 'spec' | 'stopLimitMs'>[],
): string[] {
  return processes.map(({ spec, stopLimitMs }) => {
    const { [spec.sourceId]: what = 'for what is under way' } = WAITS;
    return `${spec.name} still waits ${what}: ${Math.ceil(stopLimitMs / 1000)} s at most; Ctrl-C again does not wait.`;
  });
}
