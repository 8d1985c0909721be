import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { eventually } from '@standpipe/plumbing/testing';
import type { Batch } from '@standpipe/protos';
import { randomEnvelopes, randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { batchOf, type EnvelopeInit, line, metricOf, told } from '../testing.ts';
import { encodeFileHead, FileKind } from './frames.ts';
import { contents, copyOf, type KeptStore, openKept, testFolder } from './testing.ts';

test('a store comes back with its envelopes in their order, those of one time too', async (t) => {
  const folder = await testFolder(t);
  const before = await openKept(folder);
  before.put(line('a', 5, 1), line('b', 9, 2), line('a', 5, 3), line('a', 4, 4), line('', 1, 5));
  before.put(line('a', 5, 6), line('b', -3, 7));
  const held = contents(before.store);
  await before.end();

  const after = await openKept(folder);
  t.deepEqual(contents(after.store), held);
  t.deepEqual(after.store.meta(), before.store.meta());
  t.is(metricOf(after.metrics, 'log_cache_restored'), 7);
  t.is(metricOf(after.metrics, 'log_cache_ingress'), 0, 'they came in once, and not now');
  await after.end();
});

test('what had expired of a source is still counted', async (t) => {
  const folder = await testFolder(t);
  const before = await openKept(folder, { maxPerSource: 3 });
  before.put(...Array.from({ length: 10 }, (_, time) => line('a', time)));
  await before.end();
  const after = await openKept(folder, { maxPerSource: 3 });
  t.deepEqual(after.store.meta(), before.store.meta());
  t.is(after.store.meta().get('a')?.expired, 7);
  await after.end();
});

test('a store with a smaller cap takes back the newest', async (t) => {
  const folder = await testFolder(t);
  const before = await openKept(folder);
  before.put(...Array.from({ length: 10 }, (_, time) => line('a', time)));
  await before.end();
  const after = await openKept(folder, { maxPerSource: 2 });
  t.is(told(after.store.meta().get('a')).oldest, 8n);
  await after.end();
});

for (const seed of [1, 2, 3]) {
  test(`any envelopes come back as they were, seed ${seed}`, async (t) => {
    const folder = await testFolder(t);
    const before = await openKept(folder);
    before.put(...randomEnvelopes(seed, 5000));
    const held = contents(before.store);
    await before.end();
    const after = await openKept(folder);
    t.deepEqual(contents(after.store), held);
    await after.end();
  });
}

test('a run of one time that fills many frames comes back in its order', async (t) => {
  const folder = await testFolder(t);
  const before = await openKept(folder, { memoryLimitBytes: 64 * 2 ** 20, journal: true });
  for (let n = 0; n < 10; n += 1) {
    before.put(...Array.from({ length: 40 }, () => largeLine('a', 7, 40_000 + n)));
  }
  const held = contents(before.store);
  await before.end();
  const after = await openKept(folder, { memoryLimitBytes: 64 * 2 ** 20 });
  t.deepEqual(contents(after.store), held);
  await after.end();
});

test('files and folder are for their owner only', async (t) => {
  const folder = join(await testFolder(t), 'made');
  const kept = await openKept(folder, { journal: true });
  kept.put(line('a', 1));
  await journalled(kept, 1);
  t.is((await stat(folder)).mode & 0o777, 0o700);
  for (const name of await readdir(folder)) {
    t.is((await stat(join(folder, name))).mode & 0o077, 0, name);
  }
  await kept.end();
  t.is((await stat(join(folder, 'snapshot'))).mode & 0o077, 0);
});

test('a killed process has lost nothing that its journal had written', async (t) => {
  const folder = await testFolder(t);
  const before = await openKept(folder, { journal: true });
  before.put(line('a', 5, 1), line('b', 9, 2), line('a', 5, 3));
  before.put(line('a', 4, 4));
  before.putBatch(...batchWithMine(line('a', 4, 5), line('foreign', 1, 6), line('b', 9, 7)));
  await journalled(before, 6);
  const after = await openKept(await copyOf(t, folder), { journal: true });
  t.deepEqual(contents(after.store), contents(before.store));
  await after.end();
  await before.end();
});

test('snapshot and journal together give each envelope once', async (t) => {
  const folder = await testFolder(t);
  const first = await openKept(folder, { journal: true });
  first.put(line('a', 1), line('a', 2));
  await first.end();
  const second = await openKept(folder, { journal: true });
  second.put(line('a', 2, 3), line('b', 1, 4));
  await journalled(second, 2);
  const killed = await copyOf(t, folder);
  const third = await openKept(killed, { journal: true });
  t.deepEqual(contents(third.store), contents(second.store));
  third.put(line('a', 9));
  await journalled(third, 1);
  const fourth = await openKept(await copyOf(t, killed), { journal: true });
  t.deepEqual(contents(fourth.store), contents(third.store));
  for (const one of [second, third, fourth]) await one.end();
});

test('after an orderly end there is a snapshot, and nothing else', async (t) => {
  const folder = await testFolder(t);
  const kept = await openKept(folder, { journal: true });
  kept.put(line('a', 1));
  await kept.end();
  t.deepEqual(await readdir(folder), ['snapshot']);
});

// Snapshots are written while envelopes come in, late ones and ones of equal times; at any moment
// the process could be killed. What it leaves must give exactly what was put, in its order.
for (const seed of [1, 2, 3, 5]) {
  test(`a process killed in the midst of snapshots leaves all, once, seed ${seed}`, async (t) => {
    const random = randomFrom(seed);
    const folder = await testFolder(t);
    const memoryLimitBytes = 32 * 2 ** 20;
    const kept = await openKept(folder, { journal: true, memoryLimitBytes });
    let n = 0;
    const batch = (): EnvelopeInit[] =>
      Array.from({ length: 200 }, () => {
        n += 1;
        return line(`source-${random(5)}`, 1000 + random(500), n);
      });
    kept.put(...batch());
    for (let round = 0; round < 4; round += 1) {
      const snapshot = kept.persistence.snapshot();
      for (let turns = random(20); turns >= 0; turns -= 1) {
        kept.put(...batch());
        await turn();
      }
      if (random(2)) await snapshot;
      await journalled(kept, n);
      const held = contents(kept.store);
      const after = await openKept(await copyOf(t, folder), { memoryLimitBytes });
      t.deepEqual(contents(after.store), held);
      await snapshot;
    }
    await kept.end();
  });
}

test('a journal does not grow for ever: snapshots take its place', async (t) => {
  const folder = await testFolder(t);
  const memoryLimitBytes = 2 ** 20;
  const kept = await openKept(folder, { journal: true, memoryLimitBytes });
  for (let n = 0; n < 300; n += 1) {
    kept.put(...Array.from({ length: 20 }, (_, i) => largeLine('a', n, i)));
    if (n % 10 === 0) await journalled(kept, (n + 1) * 20);
  }
  await journalled(kept, 300 * 20);
  await eventually(() => (metricOf(kept.metrics, 'log_cache_snapshot_bytes') ?? 0) > 0);
  const copy = await copyOf(t, folder);
  let bytes = 0;
  for (const name of await readdir(copy)) bytes += (await stat(join(copy, name))).size;
  t.true(bytes < 12 * memoryLimitBytes, `${bytes} bytes`);
  const held = contents(kept.store);
  const after = await openKept(copy, { memoryLimitBytes });
  t.is(contents(after.store).a?.at(-1), held.a?.at(-1));
  await after.end();
  await kept.end();
});

test('a snapshot that is cut anywhere gives what stands before the cut', async (t) => {
  const folder = await testFolder(t);
  const before = await openKept(folder);
  for (const source of ['a', 'b', 'c']) before.put(line(source, 1), line(source, 2));
  const held = contents(before.store);
  await before.end();
  const whole = await readFile(join(folder, 'snapshot'));

  for (let length = 0; length < whole.length; length += 1) {
    const cut = join(folder, String(length));
    await mkdir(cut);
    await writeFile(join(cut, 'snapshot'), whole.subarray(0, length));
    const after = await openKept(cut);
    const taken = contents(after.store);
    for (const [source, envelopes] of Object.entries(taken)) t.deepEqual(envelopes, held[source]);
    t.true(
      after.log.lines.some(({ level }) => level === 'error'),
      `${length} bytes`,
    );
    t.deepEqual((await readdir(cut)).sort(), ['owner', 'snapshot', 'snapshot.torn']);
    const again = await openKept(cut);
    t.deepEqual(contents(again.store), taken, 'a kill before the next snapshot loses no more');
  }
});

test('a torn snapshot is set aside, and stays until the next one takes its place', async (t) => {
  const folder = await testFolder(t);
  const before = await openKept(folder);
  before.put(line('a', 1), line('b', 2), line('c', 3));
  await before.end();
  const torn = (await readFile(join(folder, 'snapshot'))).subarray(0, -60);
  await writeFile(join(folder, 'snapshot'), torn);
  const first = await openKept(folder, { journal: true });
  await first.persistence.snapshot();
  for (let n = 1; n <= 3; n += 1) {
    first.put(line('d', n));
    await first.persistence.snapshot();
  }
  t.true((await readFile(join(folder, 'snapshot.torn'))).equals(torn), 'nothing writes over it');
  await journalled(first, 3);
  const after = await openKept(await copyOf(t, folder));
  t.deepEqual(contents(after.store), contents(first.store));
  t.is(metricOf(after.metrics, 'log_cache_persistence_failures'), 0);
  await first.end();
});

test('a snapshot with a byte changed gives what stands before it, and nothing wrong', async (t) => {
  const folder = await testFolder(t);
  const before = await openKept(folder);
  for (const source of ['a', 'b', 'c']) before.put(line(source, 1), line(source, 2));
  const held = contents(before.store);
  await before.end();
  const whole = await readFile(join(folder, 'snapshot'));
  for (let at = 0; at < whole.length; at += 3) {
    const damaged = join(folder, String(at));
    await mkdir(damaged);
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] as number) ^ 0x55;
    await writeFile(join(damaged, 'snapshot'), bytes);
    const after = await openKept(damaged);
    for (const [source, envelopes] of Object.entries(contents(after.store))) {
      t.deepEqual(envelopes, held[source], `byte ${at}`);
    }
    t.is(metricOf(after.metrics, 'log_cache_persistence_failures'), 1, `byte ${at}`);
  }
});

test('a journal that is cut anywhere gives what stands before the cut, without complaint', async (t) => {
  const folder = await testFolder(t);
  const before = await openKept(folder, { journal: true });
  const sizes: number[] = [];
  for (let n = 1; n <= 3; n += 1) {
    before.put(line('a', n), line('a', n + 10));
    await journalled(before, 2 * n);
    sizes.push((await stat(join(folder, 'journal-00000001'))).size);
  }
  const whole = await readFile(join(folder, 'journal-00000001'));
  await before.end();
  for (let length = 0; length <= whole.length; length += 1) {
    const cut = join(folder, String(length));
    await mkdir(cut);
    await writeFile(join(cut, 'journal-00000001'), whole.subarray(0, length));
    const after = await openKept(cut, { journal: true });
    t.is(after.store.size, 2 * sizes.filter((size) => size <= length).length, `${length} bytes`);
    t.is(metricOf(after.metrics, 'log_cache_persistence_failures'), 0);
  }
});

test('a journal that is damaged in its midst is told of, and the later segments are read', async (t) => {
  const folder = await testFolder(t);
  let killed = folder;
  for (let n = 1; n <= 2; n += 1) {
    const kept = await openKept(killed, { journal: true });
    kept.put(line('a', n));
    await journalled(kept, 1);
    killed = await copyOf(t, killed);
    await kept.end();
  }
  const path = join(killed, 'journal-00000001');
  const bytes = await readFile(path);
  bytes[bytes.length - 1] = 0;
  await writeFile(path, bytes);
  const after = await openKept(killed, { journal: true });
  t.is(told(after.store.meta().get('a')).oldest, 2n);
  t.is(metricOf(after.metrics, 'log_cache_persistence_failures'), 1);
  await after.end();
});

for (const [what, bytes] of [
  ['of another program', Buffer.from('no file of ours, but one that somebody wants to keep')],
  ['of a later version', laterVersion()],
] as const) {
  test(`a file ${what} is set aside, with a message, and is still there`, async (t) => {
    const folder = await testFolder(t);
    await writeFile(join(folder, 'snapshot'), bytes);
    await writeFile(join(folder, 'journal-00000003'), bytes);
    const kept = await openKept(folder, { journal: true });
    t.true((await readFile(join(folder, 'snapshot.foreign'))).equals(bytes));
    t.true((await readFile(join(folder, 'journal.foreign'))).equals(bytes));
    const told = kept.log.lines.filter(({ level }) => level === 'error');
    t.is(told.length, 2);
    kept.put(line('a', 1));
    await kept.end();
    const after = await openKept(folder);
    t.is(after.store.size, 1);
    await after.end();
  });
}

test('a folder that can not be made leaves the cache in memory', async (t) => {
  const file = join(await testFolder(t), 'file');
  await writeFile(file, '');
  const kept = await openKept(join(file, 'below'), { journal: true });
  kept.put(line('a', 1));
  t.is(kept.store.size, 1);
  t.is(metricOf(kept.metrics, 'log_cache_persistence_failures'), 1);
  await t.notThrowsAsync(kept.end());
});

test('a folder without permission leaves the cache in memory', async (t) => {
  if (process.getuid?.() === 0) {
    t.pass('nothing is forbidden to root');
    return;
  }
  const folder = await testFolder(t);
  await chmod(folder, 0o500);
  const kept = await openKept(folder, { journal: true });
  kept.put(line('a', 1));
  t.is(kept.store.size, 1);
  t.is(metricOf(kept.metrics, 'log_cache_persistence_failures'), 1);
  await t.notThrowsAsync(kept.end());
  await chmod(folder, 0o700);
});

test("another living process's folder is left alone", async (t) => {
  const folder = await testFolder(t);
  const first = await openKept(folder);
  first.put(line('a', 1));
  await first.end();
  await writeFile(join(folder, 'owner'), `${process.ppid} ${await beginOf(process.ppid)}`);
  const second = await openKept(folder);
  second.put(line('b', 1));
  t.is(second.store.size, 1);
  await second.end();
  await writeFile(join(folder, 'owner'), `${process.ppid} 1`); // One of that number is long gone.
  const third = await openKept(folder);
  t.deepEqual([...third.store.meta().keys()], ['a']);
  await third.end();
});

test('a process that is stopped while it reads leaves the files as they are', async (t) => {
  const folder = await testFolder(t);
  const before = await openKept(folder);
  before.put(line('a', 1));
  await before.end();
  const bytes = await readFile(join(folder, 'snapshot'));
  const stopped = await openKept(folder, { stop: AbortSignal.abort() });
  await stopped.end();
  t.deepEqual(await readdir(folder), ['snapshot']);
  t.true((await readFile(join(folder, 'snapshot'))).equals(bytes));
});

test('a snapshot that can not be written leaves the one before', async (t) => {
  const folder = await testFolder(t);
  const before = await openKept(folder);
  before.put(line('a', 1));
  await before.end();
  const full = await openKept(folder);
  full.put(line('a', 2));
  await symlink('/dev/full', join(folder, 'snapshot.new'));
  await full.end();
  t.true(full.log.lines.some(({ level }) => level === 'error'));
  t.deepEqual(await readdir(folder), ['snapshot'], 'it leaves the room to others');
  const after = await openKept(folder);
  t.is(after.store.size, 1);
  await after.end();
});

test('a journal on a full disk tries again, and has all when there is room', async (t) => {
  const folder = await testFolder(t);
  await mkdir(folder, { recursive: true });
  const kept = await openKept(folder, { journal: true });
  const segment = join(folder, 'journal-00000001');
  await symlink('/dev/full', segment);
  kept.put(line('a', 1));
  await eventually(() => (metricOf(kept.metrics, 'log_cache_persistence_failures') ?? 0) > 0);
  kept.put(line('a', 2));
  await rm(segment);
  await journalled(kept, 2);
  t.is(metricOf(kept.metrics, 'log_cache_journal_dropped'), 0);
  const after = await openKept(await copyOf(t, folder));
  t.is(after.store.size, 2);
  await after.end();
  await kept.end();
});

test('a journal whose disk can not follow drops, counts, and does not wait', async (t) => {
  const folder = await testFolder(t);
  const kept = await openKept(folder, { journal: true, memoryLimitBytes: 128 * 2 ** 20 });
  const put = 1000;
  // In one turn, in which nothing can be written.
  for (let n = 0; n < put; n += 1) kept.put(largeLine(`source-${n % 10}`, n, n, 100_000));
  t.is(kept.store.size, put);
  const dropped = metricOf(kept.metrics, 'log_cache_journal_dropped') ?? 0;
  t.true(dropped > 0 && dropped < put);
  await journalled(kept, put - dropped);
  const after = await openKept(await copyOf(t, folder), { memoryLimitBytes: 128 * 2 ** 20 });
  t.is(after.store.size, put - dropped);
  await after.end();
  await kept.end();
});

/** Waits until so many envelopes of this process stand in its journal. */
async function journalled(kept: KeptStore, envelopes: number): Promise<void> {
  const written = (): number => metricOf(kept.metrics, 'log_cache_journal_written') ?? 0;
  // The tests of this file share four threads that write, and wait for the disk in some.
  const options = { what: `${envelopes} written`, timeoutMs: 45_000 };
  await eventually(() => written() >= envelopes, options);
}

/** A batch of which the first and the last are this shard's. */
function batchWithMine(...inits: readonly EnvelopeInit[]): [Batch, Uint8Array] {
  const mine = Uint8Array.from(inits, ({ source_id }) => (source_id === 'foreign' ? 0 : 1));
  return [batchOf(inits), mine];
}

function largeLine(source: string, time: number, n: number, bytes = 30_000): EnvelopeInit {
  return { ...line(source, time), log: { payload: Buffer.alloc(bytes, `line ${n} `) } };
}

/** When a process began, as the file of an owner has it. */
async function beginOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

function laterVersion(): Buffer {
  const bytes = encodeFileHead({ kind: FileKind.snapshot, number: 1, ordinal: 0 });
  bytes.writeUInt16LE(3, 8);
  return bytes;
}
