import test from 'ava';
import { type Checked, problemsOf, twice } from './check.ts';
import type { KeptFigures } from './figures.ts';
import type { Row } from './row.ts';

function row(scenario: string, figures: Partial<Row> = {}): Row {
  const counts = { askedPerSecond: 10, inPerSecond: 10, outPerSecond: 10, lost: 0 };
  const rest = { detail: '', cpuMicros: 1, processes: [], further: {} };
  return { scenario, shape: 'lean', ...counts, ...rest, ...figures };
}

function found(change: Partial<Checked>): Checked {
  return { rows: [], ratios: {}, failures: [], ...change };
}

const made = { commit: 'aaaaaaa', command: 'all' };
const KEPT: KeptFigures = {
  rows: [
    { ...row('doppler', { ratio: 2 }), made },
    { ...row('highest-rate', { ratio: 1 }), made },
  ],
  ratios: { 'scan: lean': { ratio: 1, made }, 'scan: cf': { ratio: 1, made } },
};

test('what costs over 15 % more than it did is a problem', (t) => {
  const rows = [row('doppler', { ratio: 2.4 }), row('highest-rate', { ratio: 3 })];
  const ratios = { 'scan: lean': 1.1, 'scan: cf': 1.2 };
  const names = problemsOf(KEPT, found({ rows, ratios })).map(({ name }) => name);
  t.deepEqual(names, ['doppler, lean', 'scan: cf']);
});

test('what loses envelopes is a problem, however little it costs, and so is what fails', (t) => {
  const rows = [row('doppler', { ratio: 1, lost: 3 }), row('fresh', { lost: 1 })];
  const failures = [{ scenario: 'soak', shape: 'lean', reason: 'it broke' }] as const;
  t.deepEqual(problemsOf(KEPT, found({ rows, failures })), [
    { name: 'soak, lean', text: 'it broke' },
    { name: 'doppler, lean', text: 'lost 3 envelopes' },
    { name: 'fresh, lean', text: 'lost 1 envelopes' },
  ]);
});

test('what nothing is known of yet, and what was not given its load, is not compared', (t) => {
  const rows = [row('fresh', { ratio: 9 }), row('doppler', { ratio: 9, isShort: true })];
  t.deepEqual(problemsOf(KEPT, found({ rows, ratios: { 'fresh: lean': 100 } })), []);
});

test('what is a problem is looked at again, and counts if it still is', async (t) => {
  const first = found({
    rows: [row('doppler', { ratio: 9 }), row('metron', { lost: 7 })],
    ratios: { 'scan: lean': 9 },
  });
  const asked: string[][] = [];
  const still = await twice(KEPT, first, async (words) => {
    asked.push([...words]);
    return found({
      rows: [row('doppler', { ratio: 2 }), row('metron', { lost: 1 })],
      ratios: { 'scan: lean': 9, 'scan: cf': 9 },
    });
  });
  t.deepEqual(asked, [['doppler', 'metron', 'scan']]);
  t.deepEqual(
    still.map(({ name }) => name),
    ['metron, lean', 'scan: lean'],
  );
});

test('where nothing is a problem, nothing is looked at again', async (t) => {
  const fine = found({ rows: [row('doppler', { ratio: 2 })] });
  t.deepEqual(await twice(KEPT, fine, () => Promise.reject(new Error('again'))), []);
});
