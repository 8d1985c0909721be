import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, testTls } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { FakeIngress } from '../ingress-client-fake.ts';
import { readProcessTable } from './process-table.ts';
import { linesOf } from './spy-outlet.ts';

/** A process of its own takes its time to start where others do as well. */
const PATIENT = { timeoutMs: 60_000 };
const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));
const FAMILY =
  'trap "echo bye; exit" TERM; echo $$; sleep 600 & echo $!; (sleep 600 & echo $!); wait';

test('leaves no process behind on SIGTERM, and sends the last words', async (t) => {
  const { start, agent } = await bench(t);
  const executor = await start(FAMILY);
  const pids = await eventually(() => pidsOf(agent, 6), PATIENT);
  executor.kill('SIGTERM');
  const [code] = await once(executor, 'exit');
  t.is(code, 0);
  await eventually(async () => (await runningOf(pids)).length === 0, PATIENT);
  // What was sent last may still be on its way through our own socket.
  const words = (): number => linesOf(agent.envelopes).filter((line) => line === 'OUT bye').length;
  await eventually(() => words() >= 2, PATIENT);
  t.is(words(), 2);
});

test('leaves no process behind when it is killed', async (t) => {
  const { start, agent } = await bench(t);
  const executor = await start(FAMILY);
  const pids = await eventually(() => pidsOf(agent, 6), PATIENT);
  executor.kill('SIGKILL');
  await once(executor, 'exit');
  await eventually(async () => (await runningOf(pids)).length === 0, PATIENT);
  t.pass();
});

test('hands no setting of its own to an app', async (t) => {
  const { start, agent } = await bench(t);
  await start('env | grep -c -E "^(EXECUTOR|AGENT|METRICS|LOG_LEVEL|CONTAINER)"; echo "$KEPT"');
  const lines = (): string[] =>
    linesOf(agent.envelopes.filter(({ instance_id }) => instance_id === '1'));
  await eventually(() => lines().length >= 3, PATIENT);
  t.deepEqual(lines().slice(0, 3), ['OUT 0', 'OUT kept', 'OUT Exit status 0']);
});

test('tells all bad settings at once, and ends with status 1', async (t) => {
  const executor = spawn(process.execPath, [MAIN], {
    env: { EXECUTOR_CELL_COUNT: '2', EXECUTOR_CELL_INDEX: '2', EXECUTOR_APP_FILE: 'x' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let told = '';
  executor.stderr.on('data', (chunk) => {
    told += chunk;
  });
  const [code] = await once(executor, 'close');
  t.is(code, 1);
  for (const mistake of [
    'EXECUTOR_CELL_INDEX is 2: it must be below EXECUTOR_CELL_COUNT, 2',
    'EXECUTOR_APPS_FILE must be set',
    'EXECUTOR_CA_FILE must be set',
    'EXECUTOR_APP_FILE is no setting; did you mean EXECUTOR_APPS_FILE?',
  ]) {
    t.true(told.includes(mistake), told);
  }
});

async function bench(t: ExecutionContext) {
  const files = await testTls('metron', 'executor');
  const agent = await FakeIngress.start(files.metron);
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-test-'));
  const executors: ChildProcess[] = [];
  t.teardown(async () => {
    for (const executor of executors) executor.kill('SIGKILL');
    await agent[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  return {
    agent,
    /** Starts an executor that runs two instances of this command. */
    start: async (command: string): Promise<ChildProcess> => {
      const path = join(folder, 'apps.yml');
      await writeFile(path, JSON.stringify([{ name: 'app', command, instances: 2 }]));
      const executor = spawn(process.execPath, [MAIN], {
        env: {
          PATH: process.env.PATH,
          KEPT: 'kept',
          LOG_LEVEL: 'error',
          METRICS_PORT: '0',
          EXECUTOR_APPS_FILE: path,
          EXECUTOR_CA_FILE: files.executor.ca,
          EXECUTOR_CERT_FILE: files.executor.cert,
          EXECUTOR_KEY_FILE: files.executor.key,
          AGENT_ADDRESS: agent.address,
          CONTAINER_METRICS_INTERVAL: '15s',
        },
        stdio: 'ignore',
      });
      executors.push(executor);
      return executor;
    },
  };
}

/** The process ids that the app has written, once there are so many. */
function pidsOf(agent: FakeIngress, count: number): number[] | undefined {
  const lines = linesOf(agent.envelopes).flatMap((line) => /^OUT (\d+)$/.exec(line)?.[1] ?? []);
  return lines.length === count ? lines.map(Number) : undefined;
}

/** Which of these still run. What has ended but was not waited for uses no memory. */
async function runningOf(pids: readonly number[] | undefined): Promise<readonly number[]> {
  const running = (await readProcessTable()).filter(({ residentBytes }) => residentBytes > 0);
  return (pids ?? []).filter((pid) => running.some((entry) => entry.pid === pid));
}
