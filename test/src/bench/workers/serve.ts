/** What each worker does alike: its options, saying that it is ready, and answering commands. */

import type { Report } from '../worker.ts';

/** The options that this process was started with. */
export function optionsOf<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T; // As Worker.start wrote them.
}

/** Says that it is ready, and answers each command with what `answer` returns. */
export function serve<Command>(
  answer: (command: Command) => Report | Promise<Report>,
  ready: Report = { envelopes: 0 },
): void {
  process.on('message', async (command: Command) => {
    process.send?.(await answer(command));
  });
  process.once('disconnect', () => process.exit()); // Nobody is left to work for.
  process.send?.(ready);
}

/** Ends the process when a stream breaks: what it counts would mean nothing. */
export function fail(what: string): (error: Error) => void {
  return (error) => {
    process.stderr.write(`${what} broke: ${error.message}\n`);
    process.exit(1);
  };
}
