import { endianness } from 'node:os';
import test from 'ava';
import {
  familyOf,
  type ProcessEntry,
  parseAuxiliaryVector,
  parsePsLine,
  parseStat,
  processesWithVariable,
  readProcessTable,
  readPs,
} from './process-table.ts';

const UNITS = { pageBytes: 4096, ticksPerSecond: 100 };
const linux = process.platform === 'linux' ? test : test.skip;

test('reads a line of /proc/PID/stat, whatever the process calls itself', (t) => {
  const rest = 'S 10 20 30 0 -1 4194560 1 2 3 4 100 50 25 5 20 0 7 0 12345 1000000 300 999 1 2 3';
  for (const name of ['sh', 'a b', ') R 1 1 1', '(sd-pam)', '']) {
    t.deepEqual(parseStat(`4711 (${name}) ${rest}`, UNITS), {
      pid: 4711,
      parent: 10,
      group: 20,
      session: 30,
      cpuMs: 1800,
      residentBytes: 1_228_800,
    });
  }
});

test('reads no process from a line that is cut off', (t) => {
  t.is(parseStat('4711 (sh) S 10 20', UNITS), undefined);
  t.is(parseStat('', UNITS), undefined);
});

for (const [line, cpuMs] of [
  ['  4711    10    20   1200 00:01:02', 62_000],
  [' 4711 10 20 1200 1-02:03:04', 93_784_000],
  ['4711 10 20 1200   0:01.50', 1_500],
  ['4711 10 20 1200 123:45.67', 7_425_670],
  ['4711 10 20 1200   0:01,50', 1_500],
] as const) {
  test(`reads ${cpuMs} ms from the line of ps: ${line.trim()}`, (t) => {
    t.deepEqual(parsePsLine(line), {
      pid: 4711,
      parent: 10,
      group: 20,
      session: 20,
      cpuMs,
      residentBytes: 1_228_800,
    });
  });
}

test('reads no process from what is no line of ps', (t) => {
  t.deepEqual(['', 'PID PPID PGID RSS TIME', '1 2 3'].map(parsePsLine), [
    undefined,
    undefined,
    undefined,
  ]);
});

linux('reads the units of the kernel, and takes the usual ones when they are not told', (t) => {
  t.deepEqual(parseAuxiliaryVector(undefined), UNITS);
  if (endianness() !== 'LE') return;
  const words = [6n, 16_384n, 17n, 250n, 0n, 0n];
  const bytes = Buffer.alloc(words.length * 8);
  for (const [index, word] of words.entries()) bytes.writeBigUInt64LE(word, index * 8);
  t.deepEqual(parseAuxiliaryVector(bytes), { pageBytes: 16_384, ticksPerSecond: 250 });
});

test('finds the family of a process: its group, its session, and all who descend from them', (t) => {
  const table = [
    entry({ pid: 1, parent: 0, group: 1, session: 1 }),
    entry({ pid: 100, parent: 50, group: 100, session: 100 }),
    entry({ pid: 101, parent: 100, group: 100, session: 100 }),
    entry({ pid: 102, parent: 1, group: 102, session: 100 }), // A background job, orphaned.
    entry({ pid: 103, parent: 102, group: 103, session: 103 }), // Its child, in its own session.
    entry({ pid: 104, parent: 103, group: 103, session: 103 }),
    entry({ pid: 200, parent: 50, group: 200, session: 200 }),
  ];
  t.deepEqual(
    [...familyOf(table, 100)].map(({ pid }) => pid),
    [100, 101, 102, 103, 104],
  );
  t.is(familyOf(table, 999).size, 0);
});

test('sees this very process, and what it uses', async (t) => {
  for (const read of [readProcessTable, readPs]) {
    const own = (await read()).find(({ pid }) => pid === process.pid);
    t.is(own?.parent, process.ppid);
    const used = process.cpuUsage();
    const usedMs = (used.user + used.system) / 1000;
    t.true(own && own.cpuMs >= 0 && own.cpuMs <= usedMs + 2000);
    const resident = process.memoryUsage.rss();
    t.true(own && own.residentBytes > resident / 3 && own.residentBytes < resident * 3);
  }
});

linux('agrees with ps', async (t) => {
  const [proc, ps] = [await readProcessTable(), await readPs()];
  const own = (table: readonly ProcessEntry[]): unknown => {
    const { pid, parent, group } = table.find((one) => one.pid === process.pid) ?? {};
    return { pid, parent, group };
  };
  t.deepEqual(own(proc), own(ps));
});

linux('finds processes by their environment', async (t) => {
  const { PATH = '' } = process.env;
  const found = await processesWithVariable('PATH', PATH);
  t.true(found.some(({ pid, parent }) => pid === process.pid && parent === process.ppid));
  t.deepEqual(await processesWithVariable('PATH', `${PATH}/no/such/path`), []);
});

function entry(ids: Pick<ProcessEntry, 'pid' | 'parent' | 'group' | 'session'>): ProcessEntry {
  return { ...ids, cpuMs: 0, residentBytes: 0 };
}
