/** `npm start` for one test: on ports of its own, stopped and cleaned up when the test ends. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { eventually } from '@standpipe/plumbing/testing';
import type { ExecutionContext } from 'ava';

const START = fileURLToPath(new URL('../start.js', import.meta.url));

/** A start is some twenty processes, and machines may be slow. */
const START_LIMIT_MS = 120_000;
const TEST_LIMIT_MS = 240_000;

/** A PORT_OFFSET that hardly another pipeline has, with ports below those that the system hands out. */
export function randomOffset(): number {
  return 10_000 + Math.floor(Math.random() * 12_000);
}

export interface Local {
  readonly child: ChildProcess;
  /** All that it has printed. */
  readonly screen: () => string;
}

/** `npm start`, once it has shown its screen. */
export async function started(
  t: ExecutionContext,
  args: readonly string[],
  offset: number,
): Promise<Local> {
  t.timeout(TEST_LIMIT_MS);
  const local = begun(t, args, offset);
  const { child, screen } = local;
  await eventually(() => child.exitCode !== null || screen().includes('Ctrl-C drains'), {
    timeoutMs: START_LIMIT_MS,
  });
  if (child.exitCode !== null) throw new Error(`npm start ended:\n${screen()}`);
  return local;
}

/** `npm start`, as soon as it runs. */
export function begun(t: ExecutionContext, args: readonly string[], offset: number): Local {
  const child = spawn(process.execPath, [START, ...args], {
    env: { ...process.env, PORT_OFFSET: String(offset), CONTAINER_METRICS_INTERVAL: '2s' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stdout?.on('data', (chunk) => {
    text += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    text += chunk;
  });
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode) return;
    child.kill('SIGINT');
    await once(child, 'exit');
  });
  t.teardown(() => rm(stateOf(offset), { recursive: true, force: true }));
  return { child, screen: () => text };
}

/** Where `npm start` keeps what it generates for this offset. */
function stateOf(offset: number): string {
  return fileURLToPath(new URL(`../../../.standpipe-${offset}`, import.meta.url));
}
