/**
 * Runs one process: start, wait for SIGINT or SIGTERM, drain, leave.
 *
 *     exit 0   drained and ended by itself
 *     exit 1   could not start, or could not drain
 *     exit 2   draining took longer than its limit, or a second SIGINT cut it short
 *     exit 3   a bug: an exception or a rejection that nobody handled
 *
 * Whatever is still held when draining is cut is lost, and counted nowhere.
 */

import { once } from 'node:events';
import { giveHeapRoom } from './heap-room.ts';
import { enterLifecycleState } from './lifecycle.ts';
import { startErrorText } from './start-error.ts';

/** How long a process may take to drain before it is cut off, unless it says otherwise. */
export const DRAIN_LIMIT_MS = 10_000;

/** How long a process that failed may take to end by itself. */
const FAILED_LIMIT_MS = 1000;

/** How often a process looks whether its parent is still there. */
const PARENT_INTERVAL_MS = 500;

/** Signals that come this close to the first are the same wish to stop. */
const SAME_KEYSTROKE_MS = 1000;

const EXIT_FAILED = 1;
const EXIT_CUT = 2;
const EXIT_BUG = 3;

/** What a process runs. */
export interface Service extends AsyncDisposable {
  /** How long it may take to drain, once it has started. */
  readonly drainLimitMs?: number;
}

/**
 * `start` resolves once the service is listening. Disposing of it stops the listeners first and
 * flushes what is still held second, so the process then ends by itself: nothing here calls
 * `process.exit` unless draining outlasts its limit or a bug shows.
 */
export async function run(
  start: (stop: AbortSignal) => Promise<Service>,
  options: { readonly drainLimitMs?: number } = {},
): Promise<void> {
  const stop = new AbortController();
  giveHeapRoom();
  enterLifecycleState('starting');
  stop.signal.addEventListener('abort', () => enterLifecycleState('draining'));
  endOnBugs();
  let drainLimitMs = options.drainLimitMs ?? DRAIN_LIMIT_MS;
  endOnSignals(stop, () => drainLimitMs);

  try {
    await using service = await start(stop.signal);
    drainLimitMs = service.drainLimitMs ?? drainLimitMs;
    if (stop.signal.aborted) return;
    enterLifecycleState('ready');
    await once(stop.signal, 'abort');
  } catch (error) {
    process.stderr.write(`${startErrorText(error, process.env)}\n`);
    process.exitCode = EXIT_FAILED;
    // What a failed start had opened must not keep the process.
    setTimeout(() => process.exit(EXIT_FAILED), FAILED_LIMIT_MS).unref();
  }
}

/**
 * The first signal begins the drain. A SIGINT after that, from a person who won't wait, cuts it.
 * One keystroke may come as several signals, though: the terminal sends it to all processes of the
 * group, npm sends it on, and a parent that stops may send SIGTERM besides.
 */
function endOnSignals(stop: AbortController, limit: () => number): void {
  let beganAt = 0;
  const begin = (): void => {
    if (stop.signal.aborted) return;
    const limitMs = limit();
    beganAt = performance.now();
    // The timer alone keeps no process; one that has drained ends before it fires.
    setTimeout(() => {
      process.stderr.write(`draining took longer than ${limitMs} ms: cut\n`);
      process.exit(EXIT_CUT);
    }, limitMs).unref();
    stop.abort();
  };
  process.on('SIGTERM', begin);
  process.on('SIGHUP', begin); // The terminal was closed.
  if (process.env.EXIT_WITH_PARENT === 'true') onParentGone(begin);
  process.on('SIGINT', () => {
    if (stop.signal.aborted && performance.now() - beganAt > SAME_KEYSTROKE_MS) {
      process.stderr.write('a second SIGINT: not waiting for the drain\n');
      process.exit(EXIT_CUT);
    }
    begin();
  });
}

function endOnBugs(): void {
  const onBug = (error: unknown): void => {
    const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`a bug ended this process: ${told}\n`);
    process.exit(EXIT_BUG);
  };
  process.on('uncaughtException', onBug);
  process.on('unhandledRejection', onBug);
}

/** With EXIT_WITH_PARENT, a process whose parent was killed drains: nobody else would end it. */
function onParentGone(begin: () => void): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) begin();
  }, PARENT_INTERVAL_MS).unref();
}
