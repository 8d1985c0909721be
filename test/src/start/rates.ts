/**
 * How much moves through a running pipeline, read off the processes' own metrics pages.
 */

import { systemClock } from '@standpipe/plumbing';
import type { ManagedProcess } from '../process.ts';

/** Sums of counters since the processes started. */
export interface Totals {
  /** Envelopes that the agents took in. */
  readonly ingress: number;
  /** Envelopes that the caches of all Dopplers stored. */
  readonly stored: number;
  /** Envelopes that left to nozzles, readers and drains. */
  readonly egress: number;
  /** Envelopes that were dropped anywhere, for whatever reason. */
  readonly dropped: number;
}

const ASK_LIMIT_MS = 1000;
/** A terminal's line is written over; anything else gets a line less often. */
const TERMINAL_INTERVAL_MS = 1000;
const FILE_INTERVAL_MS = 10_000;

/** Writes a line of rates to `output` again and again, until it is disposed of. */
export function watchRates(
  processes: readonly ManagedProcess[],
  output: NodeJS.WriteStream,
): AsyncDisposable {
  const intervalMs = output.isTTY ? TERMINAL_INTERVAL_MS : FILE_INTERVAL_MS;
  const stop = new AbortController();
  const watching = watch(processes, { output, intervalMs, stop: stop.signal });
  return {
    async [Symbol.asyncDispose](): Promise<void> {
      stop.abort();
      await watching;
      if (output.isTTY) output.write('\n');
    },
  };
}

interface Watch {
  readonly output: NodeJS.WriteStream;
  readonly intervalMs: number;
  readonly stop: AbortSignal;
}

async function watch(
  processes: readonly ManagedProcess[],
  { output, intervalMs, stop }: Watch,
): Promise<void> {
  let before = await readTotals(processes);
  let beforeMs = performance.now();
  for (;;) {
    await systemClock.sleep(intervalMs, stop);
    if (stop.aborted) return;
    const after = await readTotals(processes);
    const afterMs = performance.now();
    const line = rateLine(before, after, (afterMs - beforeMs) / 1000);
    output.write(output.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
    before = after;
    beforeMs = afterMs;
  }
}

/** One line for the screen: what moved between two readings. */
export function rateLine(before: Totals, after: Totals, seconds: number): string {
  const rate = (of: keyof Totals): string =>
    `${Math.round(Math.max(0, after[of] - before[of]) / seconds)}/s`;
  return [
    `envelopes: in ${rate('ingress')}`,
    `stored ${rate('stored')}`,
    `out ${rate('egress')}`,
    `dropped ${rate('dropped')} (${after.dropped} in all)`,
  ].join('   ');
}

/** Reads all processes; one that does not answer counts as zero. */
export async function readTotals(processes: readonly ManagedProcess[]): Promise<Totals> {
  const pages = await Promise.all(
    processes.map(async (managed) => [managed, await page(managed)] as const),
  );
  let [ingress, stored, egress, dropped] = [0, 0, 0, 0];
  for (const [{ spec }, text] of pages) {
    if (spec.sourceId === 'metron') ingress += sumOf(text, 'ingress');
    if (spec.sourceId === 'doppler') stored += sumOf(text, 'log_cache_ingress');
    if (EDGES.has(spec.sourceId)) egress += sumOf(text, 'egress');
    dropped += sumOf(text, 'dropped') + sumOf(text, 'ingress_dropped');
  }
  return { ingress, stored, egress, dropped };
}

/** The processes from which envelopes leave the pipeline. */
const EDGES: ReadonlySet<string> = new Set([
  'traffic_controller',
  'reverse_log_proxy_gateway',
  'syslog_adapter',
]);

/** The sum over all label sets of one metric in Prometheus' text format. */
export function sumOf(text: string, metric: string): number {
  let sum = 0;
  for (const line of text.split('\n')) {
    if (!line.startsWith(metric)) continue;
    const rest = line.slice(metric.length);
    if (rest.startsWith(' ') || rest.startsWith('{'))
      sum += Number(rest.slice(rest.lastIndexOf(' ')));
  }
  return sum;
}

/** A process's metrics page; empty when it does not answer. */
export async function page(managed: ManagedProcess): Promise<string> {
  if (!managed.isRunning) return '';
  try {
    const answer = await fetch(`http://${managed.address('metrics')}/metrics`, {
      signal: AbortSignal.timeout(ASK_LIMIT_MS),
    });
    return await answer.text();
  } catch {
    return ''; // It is being killed or restarted; the next reading has it again.
  }
}
