import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Metrics } from '@standpipe/plumbing';
import { eventually, ManualClock, spyLog } from '@standpipe/plumbing/testing';
import { loggregator } from '@standpipe/protos';
import test from 'ava';
import { parseApps } from './apps-file.ts';
import { ContainerMetrics, type Measured } from './container-metrics.ts';
import { InstanceLog } from './instance-log.ts';
import { executorMetrics } from './metrics.ts';
import type { ProcessEntry } from './process-table.ts';
import { SpyOutlet } from './spy-outlet.ts';

const MIB = 1024 * 1024;

test('sends one gauge with all five metrics and their units', async (t) => {
  const { measure, clock, outlet, instance, table } = measured();
  table.push(used(500, { cpuMs: 1_000, residentBytes: 3 * MIB }));
  table.push(used(501, { cpuMs: 500, residentBytes: 2 * MIB }));
  table.push(used(7, { group: 7, session: 7, cpuMs: 9_999, residentBytes: 99 * MIB }));
  measure.add(instance);
  await tick(clock, () => outlet.envelopes.length === 1);
  await measure[Symbol.asyncDispose]();

  const [envelope] = outlet.envelopes;
  t.is(envelope?.source_id, 'app-guid');
  t.is(envelope?.instance_id, '3');
  t.is(envelope?.tags.process_instance_id, 'instance-guid');
  t.is(envelope?.tags.origin, 'rep');
  t.true(Number(envelope?.timestamp) > 1.7e18);
  const plain = envelope && loggregator.v2.Envelope.toObject(envelope, { defaults: true });
  t.deepEqual(plain?.gauge, {
    metrics: {
      cpu: { unit: 'percentage', value: 75 }, // 1.5 s of the 2 s since it started.
      memory: { unit: 'bytes', value: 5 * MIB },
      disk: { unit: 'bytes', value: 0 },
      memory_quota: { unit: 'bytes', value: 64 * MIB },
      disk_quota: { unit: 'bytes', value: 1024 * MIB },
    },
  });
});

test('measures first after two seconds, then at the interval', async (t) => {
  const { measure, clock, outlet, instance, table } = measured();
  table.push(used(500, {}));
  measure.add(instance);
  const times: number[] = [];
  await tick(clock, () => {
    if (outlet.envelopes.length > times.length) times.push(clock.now());
    return times.length === 3;
  });
  await measure[Symbol.asyncDispose]();
  t.deepEqual(times, [2_000, 17_000, 32_000]);
});

test('measures the processor since the last time, and never below zero', async (t) => {
  const { measure, clock, outlet, instance, table } = measured();
  measure.add(instance);
  const cpu: (number | null | undefined)[] = [];
  for (const cpuMs of [200, 3_200, 1_000, 16_000]) {
    table.splice(0, 1, used(500, { cpuMs }));
    const count = outlet.envelopes.length;
    await tick(clock, () => outlet.envelopes.length > count);
    cpu.push(outlet.envelopes.at(-1)?.gauge?.metrics?.cpu?.value);
  }
  await measure[Symbol.asyncDispose]();
  t.deepEqual(cpu, [10, 20, 0, 100]);
});

test('sends nothing of an instance that has ended, or is measured no longer', async (t) => {
  const { measure, clock, outlet, instance, table, reads } = measured();
  measure.add(instance);
  await tick(clock, () => reads() === 1);
  table.push(used(500, {}));
  measure.remove(instance);
  for (let second = 0; second < 60; second += 1) await clock.advance(1_000);
  await measure[Symbol.asyncDispose]();
  t.deepEqual(outlet.envelopes, []);
});

test('says so and goes on when processes cannot be listed', async (t) => {
  const { measure, clock, outlet, instance, table, log, fail } = measured();
  table.push(used(500, {}));
  fail(1);
  measure.add(instance);
  await tick(clock, () => outlet.envelopes.length === 1);
  await measure[Symbol.asyncDispose]();
  t.deepEqual(
    log.lines.map(({ text }) => text),
    ['instances cannot be measured'],
  );
});

test('says once of an instance that its folder has too many files', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-test-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const names = Array.from({ length: 10_001 }, (_, index) => `${folder}/${index}`);
  for (const name of names) mkdirSync(name);
  const { measure, clock, outlet, instance, table, log } = measured();
  const app = { ...instance.app, directory: folder, ownsDirectory: true };
  table.push(used(500, {}));
  measure.add({ ...instance, app });
  await tick(clock, () => outlet.envelopes.length === 3);
  await measure[Symbol.asyncDispose]();
  t.deepEqual(
    log.lines.map(({ text }) => text),
    ['too many files, the disk metric is too low'],
  );
});

function measured() {
  const clock = new ManualClock();
  const outlet = new SpyOutlet();
  const log = spyLog();
  const table: ProcessEntry[] = [];
  let [reads, failures] = [0, 0];
  const measure = new ContainerMetrics({
    intervalMs: 15_000,
    emit: (envelope) => outlet.emit(envelope),
    clock,
    log,
    readTable: async () => {
      reads += 1;
      if (failures > 0) {
        failures -= 1;
        throw new Error('no /proc');
      }
      return [...table];
    },
  });
  return {
    measure,
    clock,
    outlet,
    log,
    table,
    instance: instanceOf(outlet),
    reads: () => reads,
    fail: (times: number) => {
      failures = times;
    },
  };
}

function instanceOf(outlet: SpyOutlet): Measured {
  const entry = { name: 'shop', guid: 'app-guid', command: 'x', memory_quota: '64M' };
  const [app] = parseApps(JSON.stringify([entry]), '/');
  if (!app) throw new Error('there is no app');
  const guid = 'instance-guid';
  const log = new InstanceLog({
    app,
    index: 3,
    instanceGuid: guid,
    emit: (envelope) => outlet.emit(envelope),
    metrics: executorMetrics(new Metrics({ origin: 'executor' })),
  });
  return { app, index: 3, guid, pid: 500, startedAtMs: 0, log };
}

function used(pid: number, facts: Partial<ProcessEntry>): ProcessEntry {
  return { pid, parent: 1, group: 500, session: 500, cpuMs: 0, residentBytes: 0, ...facts };
}

async function tick(clock: ManualClock, check: () => boolean): Promise<void> {
  await eventually(async () => {
    if (check()) return true;
    await clock.advance(1_000);
    return false;
  });
}
