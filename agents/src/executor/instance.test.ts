import { readFileSync } from 'node:fs';
import { Metrics, systemClock } from '@standpipe/plumbing';
import { eventually, spyLog } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { parseApps } from './apps-file.ts';
import { Instance, InstanceError } from './instance.ts';
import { executorMetrics } from './metrics.ts';
import { Reaper } from './reaper.ts';
import { SpyOutlet } from './spy-outlet.ts';

const linux = process.platform === 'linux' ? test : test.skip;

test('logs each line of stdout and stderr once, in order, and then the exit', async (t) => {
  const { start, outlet } = cell(t);
  const count =
    'i=0; while [ $i -lt 2000 ]; do echo "line $i"; echo "oops $i" >&2; i=$((i + 1)); done';
  const instance = await start(`${count}; printf 'no end'; exit 3`);
  const exit = await instance.ended;
  t.is(exit.status, 3);
  t.is(exit.reason, 'Exited with status 3');

  const lines = outlet.lines();
  t.is(lines.pop(), 'OUT Exit status 3');
  const numbers = Array.from({ length: 2000 }, (_, n) => n);
  t.deepEqual(
    lines.filter((line) => line.startsWith('OUT')),
    [...numbers.map((n) => `OUT line ${n}`), 'OUT no end'],
  );
  t.deepEqual(
    lines.filter((line) => line.startsWith('ERR')),
    numbers.map((n) => `ERR oops ${n}`),
  );
  const times = outlet.envelopes.map(({ timestamp }) => BigInt(String(timestamp)));
  t.true(times.every((time, index) => index === 0 || time > (times[index - 1] ?? 0n)));
});

test('tells what the cell does with it', async (t) => {
  const { start, outlet } = cell(t);
  const instance = await start('sleep 600');
  await eventually(() => outlet.lines('CELL').length === 3);
  await instance.stop();
  t.deepEqual(outlet.lines('CELL'), [
    `OUT Cell 5 creating container for instance ${instance.guid}`,
    `OUT Cell 5 successfully created container for instance ${instance.guid}`,
    'OUT Container became healthy',
    `OUT Cell 5 stopping instance ${instance.guid}`,
    `OUT Cell 5 successfully destroyed container for instance ${instance.guid}`,
  ]);
  t.deepEqual(outlet.lines(), ['OUT Exit status 143 (killed by SIGTERM)']);
});

test('gives the command what Cloud Foundry gives to an app', async (t) => {
  const { start, outlet } = cell(t, { env: { OWN: 'mine', FROM: 'app' }, memory_quota: '64M' });
  const wanted =
    'PORT MEMORY_LIMIT INSTANCE_INDEX CF_INSTANCE_INDEX CF_INSTANCE_GUID OWN FROM HOME';
  const instance = await start(
    `for n in ${wanted}; do eval "echo $n=\\$$n"; done; echo "$VCAP_APPLICATION"`,
  );
  await instance.ended;
  const lines = outlet.lines().map((line) => line.replace('OUT ', ''));
  t.deepEqual(lines.slice(0, 8), [
    `PORT=${instance.port}`,
    'MEMORY_LIMIT=64m',
    'INSTANCE_INDEX=2',
    'CF_INSTANCE_INDEX=2',
    `CF_INSTANCE_GUID=${instance.guid}`,
    'OWN=mine',
    'FROM=app',
    'HOME=/inherited',
  ]);
  const vcap = JSON.parse(lines[8] ?? '');
  t.like(vcap, {
    application_id: 'app-guid',
    application_name: 'shop',
    instance_id: instance.guid,
    instance_index: 2,
    organization_name: 'local',
    port: instance.port,
    process_type: 'web',
    space_name: 'local',
    limits: { mem: 64, disk: 1024 },
  });
  t.true(instance.port > 0);
});

test('gives instance i the port of the app plus i, when the app has one', async (t) => {
  const { start } = cell(t, { port: 20_000 });
  const instance = await start('exit 0');
  t.is(instance.port, 20_002);
  await instance.ended;
});

test('lets programs open their output by name, and read nothing', async (t) => {
  const { start, outlet } = cell(t);
  await (await start('echo one >/dev/stdout; echo two >/dev/stderr; cat; echo three')).ended;
  t.deepEqual(outlet.lines().toSorted(), ['ERR two', 'OUT Exit status 0', 'OUT one', 'OUT three']);
});

test('leaves no process behind when the first one ends', async (t) => {
  const { start, outlet } = cell(t);
  const instance = await start('sleep 600 & echo $!; (sleep 600 & echo $!); exit 1');
  await instance.ended;
  await allGone(pidsOf(outlet));
  t.is(pidsOf(outlet).length, 2);
});

test('leaves no process behind when it is stopped, and lets each have its last word', async (t) => {
  const { start, outlet } = cell(t);
  const child = `sh -c 'trap "sleep 0.2; echo bye; exit" TERM; echo $$; while :; do sleep 0.05; done'`;
  const instance = await start(`${child} & ${child} & wait`);
  await eventually(() => pidsOf(outlet).length === 2);
  const exit = await instance.stop();
  t.is(exit.status, 143);
  t.is(outlet.lines().filter((line) => line === 'OUT bye').length, 2);
  await allGone([...pidsOf(outlet), instance.pid]);
});

test('kills what does not stop within the grace period', async (t) => {
  const { start, outlet } = cell(t);
  const instance = await start('trap "" TERM; echo $$; while :; do sleep 0.05; done', 200);
  await eventually(() => pidsOf(outlet).length === 1);
  const exit = await instance.stop();
  t.is(exit.status, 137);
  t.is(
    outlet.lines().at(-1),
    'OUT Exit status 137 (killed by SIGKILL) (exceeded 200ms graceful shutdown interval)',
  );
  await allGone([instance.pid]);
});

linux('kills what has left its process group and its session', async (t) => {
  const { start, outlet } = cell(t);
  const instance = await start("setsid sh -c 'echo $$; exec sleep 600' & sleep 600");
  await eventually(() => pidsOf(outlet).length === 1);
  await instance.stop();
  await allGone(pidsOf(outlet));
  t.pass();
});

test('says why it cannot be started', async (t) => {
  const { start, outlet } = cell(t, { directory: '/no/such/folder' });
  await t.throwsAsync(start('exit 0'), { instanceOf: InstanceError });
  t.regex(outlet.lines()[0] ?? '', /^OUT failed-creating-process: .*ENOENT/);
});

test('has the program wait while the agent is behind, but not while it is away', async (t) => {
  const { start, outlet } = cell(t);
  outlet.waiting = 10_000;
  await (await start('echo one; sleep 0.1; echo two')).ended;
  t.is(outlet.flushes, 1);

  outlet.waiting = 10_000;
  outlet.isConnected = false;
  await (await start('echo one; sleep 0.1; echo two')).ended;
  t.is(outlet.flushes, 1);
  t.is(outlet.lines().length, 6);
});

interface TestCell {
  readonly outlet: SpyOutlet;
  /** Starts instance 2 of the app with this command. */
  start(command: string, graceMs?: number): Promise<Instance>;
}

function cell(t: ExecutionContext, fields: Readonly<Record<string, unknown>> = {}): TestCell {
  const outlet = new SpyOutlet();
  const log = spyLog();
  const reaper = new Reaper(log);
  t.teardown(() => reaper[Symbol.asyncDispose]());
  return {
    outlet,
    start: (command, graceMs = 5_000) => {
      const entry = { name: 'shop', guid: 'app-guid', command, ...fields };
      const [app] = parseApps(JSON.stringify([entry]), '/');
      if (!app) throw new Error('there is no app');
      return Instance.start(app, 2, {
        cellIndex: 5,
        inheritedEnv: { PATH: process.env.PATH, HOME: '/inherited', FROM: 'cell' },
        outlet,
        reaper,
        metrics: executorMetrics(new Metrics({ origin: 'executor' })),
        clock: systemClock,
        log,
        graceMs,
      });
    },
  };
}

/** The process ids that a command has written, each on a line of its own. */
function pidsOf(outlet: SpyOutlet): number[] {
  return outlet.lines().flatMap((line) => {
    const match = /^OUT (\d+)$/.exec(line);
    return match ? [Number(match[1])] : [];
  });
}

async function allGone(pids: readonly number[]): Promise<void> {
  await eventually(() => pids.every((pid) => !isRunning(pid)), { what: `the end of ${pids}` });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie has ended, though whoever adopted it has not noticed yet.
    return (
      process.platform !== 'linux' || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
    );
  } catch {
    return false;
  }
}
