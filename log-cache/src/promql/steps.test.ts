import test from 'ava';
import { Evaluator, type Value } from './evaluate.ts';
import { Labels, NO_LABELS } from './labels.ts';
import { PatternSizes } from './matcher.ts';
import { METRIC_NAME } from './names.ts';
import { SampleBudget } from './pacer.ts';
import { parse } from './parse.ts';
import { Row } from './rows.ts';
import type { Series, SeriesSource } from './series.ts';
import { inPieces, mapSteps, PIECE_STEPS } from './steps.ts';
import { CountingPace, gaugeAt, testQuerier } from './testing.ts';

const NOW = 1_700_000_000;
const STEPS = 200_000;
/** What may be done between two looks: a piece with the samples in it, and what came before it. */
const WORK_AT_ONCE = 4 * PIECE_STEPS;

/** Two series, with a sample at every other second. */
const SOURCE: SeriesSource = {
  async select({ startMs, endMs, matchers }, pace) {
    const name = matchers.find((matcher) => matcher.name === METRIC_NAME)?.value ?? '';
    const series = ['a', 'b'].map((id): Series => {
      const times = Float64Array.from(
        { length: Math.floor((endMs - startMs) / 2000) + 1 },
        (_, index) => startMs + index * 2000,
      );
      pace.hold(times.length);
      const labels = Labels.of([
        [METRIC_NAME, name],
        ['id', id],
      ]);
      return { labels, type: 'gauge', unit: '', times, values: times.slice() };
    });
    return { series, unreachable: [] };
  },
};

async function evaluated(query: string): Promise<{ value: Value; pace: CountingPace }> {
  const pace = new CountingPace();
  const times = { startMs: NOW * 1000, endMs: (NOW + STEPS) * 1000 };
  const evaluator = new Evaluator({ source: SOURCE, pace, sizes: new PatternSizes(), ...times });
  const grid = { startMs: times.startMs, stepMs: 1000, count: STEPS };
  return { value: await evaluator.evaluate(parse(query), grid), pace };
}

function sizeOf(value: Value): number {
  if (value.type === 'string') return 0;
  return value.type === 'scalar' ? value.values.length : value.rows.length * STEPS;
}

for (const query of [
  'time()',
  'pi()',
  '-time()',
  'time() + time() * 2',
  'time() > bool 1',
  'scalar(x{id="a"})',
  'vector(time())',
  'hour()',
  'year(vector(time()))',
  'x',
  '-x',
  'abs(x)',
  'clamp(x, time(), scalar(x))',
  'round(x)',
  'x + time()',
  'time() < x',
  'x * y',
  'x * on (id) group_left () (y > 1)',
  'x and y',
  'x or y',
  'x unless y',
  'x == bool y',
  'absent(x)',
  'absent(absent(vector(1)))',
  'absent_over_time(x[10s])',
  'timestamp(x)',
  'timestamp(x + 1)',
  'sum(x)',
  'quantile(0.5, x)',
  'topk(1, x)',
  'rate(x[10s])',
  'predict_linear(x[10s], time())',
  'sum_over_time(x[10s:5s])',
  'sum(x @ end())',
  'vector(1)',
  'vector(1) and vector(2) or vector(3) unless vector(4) == bool vector(5)',
  'histogram_quantile(0.9, label_replace(x, "le", "+Inf", "", ""))',
  'label_replace(x > 1, "c", "", "id", ".*") or label_join(x, "c", "", "id")',
]) {
  test(`${query} takes its steps in pieces, and holds no more than its value`, async (t) => {
    const { value, pace } = await evaluated(query);
    t.true(pace.work >= STEPS, `it counts ${pace.work}`);
    t.true(pace.most <= WORK_AT_ONCE, `${pace.most} at once`);
    t.true(pace.held >= sizeOf(value), 'what is there is held');
    t.true(pace.held <= sizeOf(value) + STEPS * 2, `${pace.held} for ${sizeOf(value)}`);
  });
}

test('scalars are held, and given back when they are not wanted any more', async (t) => {
  t.is((await evaluated('time()')).pace.held, STEPS);
  for (const query of ['time() + time() + time()', '-time()', 'scalar(vector(time()))']) {
    const { pace } = await evaluated(query);
    t.is(pace.held, STEPS, query);
    t.true(pace.mostHeld <= 4 * STEPS, query);
  }
});

/** A call in itself so many times. */
function nested(times: number, inner: string, call: (inner: string) => string): string {
  let query = inner;
  for (let n = 0; n < times; n += 1) query = call(query);
  return query;
}

test('calls in each other hold the scalars of one of them', async (t) => {
  const call = (inner: string): string => `clamp(${inner}, time(), time())`;
  const { pace } = await evaluated(nested(30, 'vector(1)', call));
  t.is(pace.held, STEPS);
  t.true(pace.mostHeld <= 5 * STEPS, `${pace.mostHeld / STEPS}`);
  t.true(pace.work >= 90 * STEPS);
  t.true(pace.most <= WORK_AT_ONCE);

  const sums = await evaluated(nested(30, 'x', (inner) => `quantile(0.5, ${inner})`));
  t.true(sums.pace.mostHeld <= 6 * STEPS, `${sums.pace.mostHeld / STEPS}`);
});

test('time() in a subquery of a million steps has an answer, or is too much', async (t) => {
  const query = 'max_over_time(clamp(vector(1), time(), time())[999999s:1s])';
  const { ask } = testQuerier();
  t.deepEqual(await ask(query, NOW), [`{} ${NOW}`]);

  const budget = new SampleBudget(3_000_000);
  const small = testQuerier({ budget });
  small.put(gaugeAt(NOW, { x: 1 }));
  for (const one of [query, 'max_over_time(vector(time() + time())[999999s:1s])']) {
    await t.throwsAsync(small.ask(one, NOW), { message: /too many samples/ });
    t.is(budget.held, 0);
  }
});

for (const count of [0, 1, PIECE_STEPS - 1, PIECE_STEPS, PIECE_STEPS + 1, 3 * PIECE_STEPS]) {
  test(`does each of ${count} steps once, with a look after each piece`, async (t) => {
    const pace = new CountingPace();
    const seen = new Uint8Array(count);
    const mark = (from: number, to: number): void => {
      for (let step = from; step < to; step += 1) seen[step] = (seen[step] ?? 0) + 1;
    };
    await inPieces(pace, count, mark);
    t.true(seen.every((times) => times === 1));
    t.true(pace.most <= WORK_AT_ONCE);

    seen.fill(0);
    const rows = [Row.empty(NO_LABELS, count), Row.empty(NO_LABELS, count)];
    const begin = (): string => 'made';
    const made = await mapSteps(pace, rows, begin, (_made, _row, from, to) => mark(from, to));
    t.deepEqual(made, ['made', 'made']);
    t.true(seen.every((times) => times === 2));
    t.true(pace.most <= WORK_AT_ONCE);
  });
}
