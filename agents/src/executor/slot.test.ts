import { Metrics } from '@standpipe/plumbing';
import { eventually, ManualClock, spyLog } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import type { App } from './app.ts';
import { parseApps } from './apps-file.ts';
import { ContainerMetrics } from './container-metrics.ts';
import { executorMetrics } from './metrics.ts';
import { Reaper } from './reaper.ts';
import { Slot } from './slot.ts';
import { SpyOutlet } from './spy-outlet.ts';

test('starts what crashes again, after waits that grow', async (t) => {
  const { open, clock, outlet, metrics } = bench(t);
  const slot = open(appOf('exit 7'));
  const longest = [1, 2, 4, 8, 16, 30, 30];
  const waits: number[] = [];
  for (let crash = 1; crash <= longest.length; crash += 1) {
    await eventually(() => crashesIn(outlet) === crash && clock.sleeping === 2);
    const told = /starting it again in (\S+) s: (.*)$/.exec(outlet.lines('CELL').at(-1) ?? '');
    t.is(told?.[2], 'APP/PROC/WEB: Exited with status 7');
    waits.push(Number(told?.[1]));
    if (crash < longest.length) await clock.advance((waits.at(-1) ?? 0) * 1000 + 50);
  }
  slot.want(undefined);
  await slot.ended;
  // A fifth of a wait, at most, is left to chance.
  for (const [index, most] of longest.entries()) {
    const wait = waits[index] ?? 0;
    t.true(wait <= most && wait >= most * 0.79, `${waits}`);
  }
  t.is(metrics.crashes.value, 7);
  t.is(outlet.lines().filter((line) => line === 'OUT Exit status 7').length, 7);
});

test('begins with a short wait again when it has run for a minute', async (t) => {
  const { open, clock, outlet } = bench(t);
  const slot = open(appOf('read -r _ </dev/null; echo up; kill -s STOP $$; exit 1'));
  for (const ranMs of [0, 0, 0, 60_000]) {
    const pid = (await eventually(() => slot.instance?.pid)) ?? 0;
    await eventually(() => outlet.lines().at(-1) === 'OUT up');
    await clock.advance(ranMs);
    process.kill(pid, 'SIGKILL');
    await eventually(() => /starting it again/.test(outlet.lines('CELL').at(-1) ?? ''));
    if (ranMs === 0) await clock.advance(30_000);
  }
  t.regex(outlet.lines('CELL').at(-1) ?? '', /starting it again in (1\.0|0\.[89]) s/);
  slot.want(undefined);
  await slot.ended;
});

test('replaces what runs when something else is wanted, one after the other', async (t) => {
  const { open, outlet, metrics } = bench(t);
  const slot = open(appOf('trap "echo bye; exit 0" TERM; echo one; while :; do sleep 0.05; done'));
  await eventually(() => outlet.lines().includes('OUT one'));
  slot.want(appOf('echo never; sleep 600'));
  slot.want(appOf('echo two; sleep 600'));
  await eventually(() => outlet.lines().includes('OUT two'));
  slot.want(undefined);
  await slot.ended;
  // The shell complains on stderr that its sleep was terminated.
  t.deepEqual(
    outlet.lines().filter((line) => line.startsWith('OUT')),
    [
      'OUT one',
      'OUT bye',
      'OUT Exit status 0',
      'OUT two',
      'OUT Exit status 143 (killed by SIGTERM)',
    ],
  );
  t.is(metrics.crashes.value, 0);
  t.is(slot.instance, undefined);
});

test('does not wait to leave when it is waiting to start again', async (t) => {
  const { open, clock, outlet, endings } = bench(t);
  const slot = open(appOf('exit 1'));
  await eventually(() => crashesIn(outlet) === 1 && clock.sleeping === 2);
  slot.want(undefined);
  await slot.ended;
  t.is(endings(), 1);
});

test('tries again what could not be started', async (t) => {
  const { open, clock, log, outlet } = bench(t);
  const slot = open({ ...appOf('exit 0'), directory: '/no/such/folder' });
  await eventually(() => outlet.lines().length === 1 && clock.sleeping === 2);
  await clock.advance(1_000);
  await eventually(() => outlet.lines().length === 2 && clock.sleeping === 2);
  slot.want(undefined);
  await slot.ended;
  t.regex(outlet.lines()[1] ?? '', /failed-creating-process/);
  t.true(log.lines.some(({ text }) => text === 'an instance cannot be started'));
});

function bench(t: ExecutionContext) {
  const clock = new ManualClock();
  const outlet = new SpyOutlet();
  const log = spyLog();
  const metrics = executorMetrics(new Metrics({ origin: 'executor' }));
  const reaper = new Reaper(log);
  // One of those who sleep on the clock.
  const measure = new ContainerMetrics({
    intervalMs: 3_600_000,
    emit: () => undefined,
    clock,
    log,
    readTable: async () => [],
  });
  t.teardown(async () => {
    await measure[Symbol.asyncDispose]();
    await reaper[Symbol.asyncDispose]();
  });
  let endings = 0;
  const inheritedEnv = { PATH: process.env.PATH };
  const context = { cellIndex: 0, inheritedEnv, outlet, reaper, metrics, clock, log };
  const onEnd = (): void => {
    endings += 1;
  };
  return {
    clock,
    outlet,
    log,
    metrics,
    endings: () => endings,
    open: (app: App) => new Slot({ app, index: 0, context, measure, onEnd }),
  };
}

function crashesIn(outlet: SpyOutlet): number {
  return outlet.lines('CELL').filter((line) => line.includes('starting it again')).length;
}

function appOf(command: string): App {
  const [app] = parseApps(JSON.stringify([{ name: 'shop', guid: 'app-guid', command }]), '/');
  if (!app) throw new Error('there is no app');
  return app;
}
