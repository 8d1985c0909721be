import test from 'ava';
import { readFigures, withFound } from './figures.ts';
import type { Row } from './row.ts';

function row(scenario: string, figures: Partial<Row> = {}): Row {
  const counts = { askedPerSecond: 10, inPerSecond: 10, outPerSecond: 10, lost: 0 };
  const rest = { detail: '', cpuMicros: 1, processes: [], further: {} };
  return { scenario, shape: 'lean', ...counts, ...rest, ...figures };
}

const OLD = { commit: 'aaaaaaa', command: 'all', rateFactor: 0.5 };
const NEW = { commit: 'bbbbbbb', command: 'some', rateFactor: 1 };

test('what a run did not look for stays as it was, with the run that it came from', (t) => {
  const kept = {
    rows: [
      { ...row('doppler'), made: OLD },
      { ...row('soak', { detail: '20 s' }), made: OLD },
    ],
    ratios: { 'scan: lean': { ratio: 0.5, made: OLD }, 'json: lean': { ratio: 0.7, made: OLD } },
  };
  const found = {
    rows: [row('soak', { detail: '600 s' }), row('metron'), row('doppler', { cpuMicros: 2 })],
    ratios: { 'scan: lean': 0.4 },
  };
  const { rows, ratios } = withFound(kept, found, NEW);
  t.deepEqual(
    rows.map(({ scenario, detail, cpuMicros, made }) => [scenario + detail, cpuMicros, made]),
    [
      ['doppler', 2, NEW],
      ['metron', 1, NEW],
      ['soak20 s', 1, OLD],
      ['soak600 s', 1, NEW],
    ],
  );
  t.like(ratios, { 'json: lean': { ratio: 0.7, made: OLD }, 'scan: lean': { ratio: 0.4 } });
  t.is(ratios['scan: lean']?.made.commit, NEW.commit);
});

test('the kept figures can be read, and are of something', async (t) => {
  const { rows, ratios } = await readFigures();
  t.true(rows.length > 0);
  for (const { made } of [...rows, ...Object.values(ratios)]) {
    t.regex(made.commit, /^[0-9a-f]{7,}(-dirty)?$/);
  }
  t.true(Object.values(ratios).every(({ ratio }) => ratio > 0));
});
