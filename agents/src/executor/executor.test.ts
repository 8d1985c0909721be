import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, type SpyLog, spyLog, testTls } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { FakeIngress } from '../ingress-client-fake.ts';
import { appGuid } from './app.ts';
import { AppsError } from './apps-file.ts';
import { type Executor, startExecutor } from './executor.ts';
import { linesOf } from './spy-outlet.ts';

// One after the other: each runs programs, and one of them writes as fast as it can.
test.serial('sends what apps write to the agent, each line once and in order', async (t) => {
  const { start, agent } = await bench(t);
  const count = 'awk "BEGIN { for (i = 0; i < 30000; i += 1) print \\"line \\" i }"; sleep 600';
  await using executor = await start([{ name: 'counter', command: count, instances: 2 }]);
  const linesFrom = (index: number): string[] =>
    linesOf(agent.envelopes.filter(({ instance_id }) => instance_id === String(index)));
  await eventually(() => agent.envelopes.length >= 60_004, { timeoutMs: 30_000 });

  const wanted = Array.from({ length: 30_000 }, (_, n) => `OUT line ${n}`);
  // Not deepEqual, which takes seconds for so many.
  t.true(linesFrom(0).join('\n') === wanted.join('\n'));
  t.true(linesFrom(1).join('\n') === wanted.join('\n'));
  t.deepEqual([...agent.sourceIds()], [appGuid('counter')]);
  const metrics = await metricsOf(executor);
  t.regex(metrics, /^ingress 60000$/m);
  t.regex(metrics, /^dropped\{direction="egress"\} 0$/m);
  t.regex(metrics, /^instances\{state="running"\} 2$/m);
});

test.serial('measures what runs', async (t) => {
  const { start, agent } = await bench(t);
  await using _executor = await start([{ name: 'busy', command: 'while :; do :; done' }]);
  const gauge = await eventually(() => agent.envelopes.find((envelope) => envelope.gauge)?.gauge);
  const { cpu, memory, disk, memory_quota, disk_quota } = gauge?.metrics ?? {};
  t.true((cpu?.value ?? 0) > 1 && (cpu?.value ?? 0) < 400, `${cpu?.value} % of a core`);
  t.is(cpu?.unit, 'percentage');
  t.true((memory?.value ?? 0) > 100_000 && (memory?.value ?? 0) < 100_000_000);
  for (const metric of [memory, disk, memory_quota, disk_quota]) t.is(metric?.unit, 'bytes');
  t.is(memory_quota?.value, 268_435_456);
});

test.serial('follows its file, and keeps what runs when the file has mistakes', async (t) => {
  const { start, write, agent, log } = await bench(t);
  const say = (word: string): string => `echo ${word}; exec sleep 600`;
  const [keep, leave] = [
    { name: 'keep', command: say('keep') },
    { name: 'leave', command: say('a') },
  ];
  await using executor = await start([keep, leave]);
  await eventually(() => executor.instances.length === 2);
  const kept = executor.instances.find(({ app }) => app.name === 'keep')?.pid;

  await write('- name: broken\n  comand: x');
  await eventually(() => log.lines.some(({ text }) => text.includes('has mistakes')));
  const told = log.lines.find(({ text }) => text.includes('has mistakes'));
  t.deepEqual(told?.fields.mistakes, [
    'apps[0] (broken): command must be set',
    'apps[0] (broken): comand is no field; did you mean command?',
  ]);
  t.is(executor.instances.length, 2);

  await write(JSON.stringify([keep, { name: 'new', command: say('new'), instances: 2 }]));
  await eventually(() => namesOf(executor).join() === 'keep,new,new');
  t.is(executor.instances.find(({ app }) => app.name === 'keep')?.pid, kept);

  await write(JSON.stringify([{ ...keep, command: say('changed') }]));
  await eventually(() => linesOf(agent.envelopes).includes('OUT changed'));
  await eventually(() => namesOf(executor).join() === 'keep');
  t.not(executor.instances[0]?.pid, kept);
});

test.serial('shares the instances with another cell', async (t) => {
  const { start } = await bench(t);
  const apps = [{ name: 'many', command: 'exec sleep 600', instances: 5 }];
  await using first = await start(apps, { index: 0, count: 2 });
  await using second = await start(apps, { index: 1, count: 2 });
  await eventually(() => first.instances.length === 3 && second.instances.length === 2);
  t.deepEqual(first.instances.map(({ index }) => index).toSorted(), [0, 2, 4]);
  t.deepEqual(second.instances.map(({ index }) => index).toSorted(), [1, 3]);
});

test.serial('flushes the last words of all instances before it ends', async (t) => {
  const { start, agent } = await bench(t);
  const command = 'trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.05; done';
  const executor = await start([{ name: 'polite', command, instances: 3 }]);
  await eventually(() => linesOf(agent.envelopes).length === 3);
  await executor[Symbol.asyncDispose]();
  const count = (line: string): number =>
    linesOf(agent.envelopes).filter((one) => one === line).length;
  t.is(count('OUT bye'), 3);
  t.is(count('OUT Exit status 0'), 3);
});

test.serial('keeps lines for an agent that comes late', async (t) => {
  const { start, agent } = await bench(t);
  await agent[Symbol.asyncDispose]();
  await using executor = await start([{ name: 'early', command: 'echo early; exec sleep 600' }]);
  await eventually(() => executor.instances.length === 1);
  const { metron } = await testTls('metron');
  await using late = await FakeIngress.start(metron, agent.address);
  await eventually(() => linesOf(late.envelopes).includes('OUT early'));
  t.pass();
});

test.serial('does not start with a file that has mistakes, or none', async (t) => {
  const { start, folder } = await bench(t);
  await t.throwsAsync(start([{ name: 'nameless' }]), { instanceOf: AppsError });
  await rm(join(folder, 'apps.yml'));
  await t.throwsAsync(start(undefined), { code: 'ENOENT' });
});

async function bench(t: ExecutionContext) {
  const files = await testTls('metron', 'executor');
  const agent = await FakeIngress.start(files.metron);
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-test-'));
  t.teardown(async () => {
    await agent[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  const appsFile = join(folder, 'apps.yml');
  const log: SpyLog = spyLog();
  const write = (text: string): Promise<void> => writeFile(appsFile, text);
  return {
    agent,
    folder,
    log,
    write,
    start: async (apps: unknown, cell = { index: 0, count: 1 }): Promise<Executor> => {
      if (apps !== undefined) await write(JSON.stringify(apps));
      const config = {
        appsFile,
        agentAddress: agent.address,
        tls: files.executor,
        cell,
        containerMetricsIntervalMs: 300,
        observability: { metricsPort: 0, statsdAddress: '', metricsIntervalMs: 5_000 },
        inheritedEnv: { PATH: process.env.PATH },
      };
      return startExecutor(config, log);
    },
  };
}

function namesOf(executor: Executor): string[] {
  return executor.instances.map(({ app }) => app.name).toSorted();
}

async function metricsOf(executor: Executor): Promise<string> {
  return (await fetch(`http://127.0.0.1:${executor.metricsPort}/metrics`)).text();
}
