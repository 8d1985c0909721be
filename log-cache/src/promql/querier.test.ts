import { setImmediate as nextRound } from 'node:timers/promises';
import { eventually } from '@standpipe/plumbing/testing';
import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { metricOf } from '../testing.ts';
import { QueryError } from './errors.ts';
import { Labels } from './labels.ts';
import { METRIC_NAME } from './names.ts';
import { SampleBudget } from './pacer.ts';
import type { Selected, Selection, SeriesSource } from './series.ts';
import { ANYBODY, counterAt, gaugeAt, linesOf, logAt, testQuerier, timerAt } from './testing.ts';

const NOW = 1_700_000_000;

test('counters have their total, gauges their value, timers their length in nanoseconds', async (t) => {
  const { put, ask } = testQuerier();
  put(
    counterAt(NOW, 'http.requests', 10, { tags: { job: 'web' } }),
    gaugeAt(NOW, { cpu: 0.5, 'mem-bytes': 7 }, { instance: '1' }),
    timerAt(NOW, 'http', 2_000_000_001n),
  );
  t.deepEqual(await ask('http_requests', NOW), ['{job="web", source_id="app"} 10']);
  t.deepEqual(await ask('cpu', NOW), ['{instance_id="1", source_id="app"} 0.5']);
  t.deepEqual(await ask('mem_bytes', NOW), ['{instance_id="1", source_id="app"} 7']);
  t.deepEqual(await ask('http', NOW), ['{source_id="app"} 2000000001']);
});

test('a total of 64 bits and a timer that ran backwards are what they are', async (t) => {
  const { put, ask } = testQuerier();
  put(counterAt(NOW, 'c', 2n ** 63n + 5n), timerAt(NOW, 't', -3n));
  t.deepEqual(await ask('c', NOW), [`{source_id="app"} ${2 ** 63}`]);
  t.deepEqual(await ask('t', NOW), ['{source_id="app"} -3']);
});

test('names are sanitised, in the data and in quotes', async (t) => {
  const { put, ask } = testQuerier();
  put(gaugeAt(NOW, { '9lives': 1, 'a:b': 2, 'über.x': 3 }));
  t.deepEqual(await ask('_lives', NOW), ['{source_id="app"} 1']);
  t.deepEqual(await ask('{"9lives"}', NOW), ['{source_id="app"} 1']);
  t.deepEqual(await ask('a_b', NOW), ['{source_id="app"} 2']);
  t.deepEqual(await ask('a:b', NOW), ['{source_id="app"} 2']);
  t.deepEqual(await ask('_ber_x', NOW), ['{source_id="app"} 3']);
});

test('tags are labels as they are, and quotes reach every one', async (t) => {
  const { put, ask } = testQuerier();
  put(
    gaugeAt(
      NOW,
      { x: 1 },
      { tags: { 'http.method': 'GET', empty: '', source_id: 'no', __name__: 'no' } },
    ),
  );
  t.deepEqual(await ask('x', NOW), ['{http.method="GET", source_id="app"} 1']);
  t.deepEqual(await ask('x{"http.method"="GET",empty=""}', NOW, { withNames: true }), [
    'x{http.method="GET", source_id="app"} 1',
  ]);
  t.deepEqual(await ask('sum by ("http.method") (x)', NOW), ['{http.method="GET"} 1']);
});

test('every matcher matches as it is meant, also the instance', async (t) => {
  const { put, ask } = testQuerier();
  for (const instance of ['0', '1'])
    put(gaugeAt(NOW, { x: 1 }, { instance, tags: { job: 'cell' } }));
  for (const [matchers, count] of [
    ['instance_id="1"', 1],
    ['instance_id!="1"', 1],
    ['instance_id=~"0|1"', 2],
    ['job!="cell"', 0],
    ['job=~"ce.*"', 2],
    ['job!~"c.*"', 0],
    ['nothing=""', 2],
    ['source_id="app"', 2],
    ['source_id=~"a.*"', 2],
    ['source_id="other"', 0],
  ] as const) {
    t.is((await ask(`x{${matchers}}`, NOW)).length, count, matchers);
  }
});

test('a name is left out of a result when the query says it', async (t) => {
  const { put, ask } = testQuerier();
  put(gaugeAt(NOW, { cpu: 1, mem: 2 }));
  t.deepEqual(await ask('cpu', NOW), ['{source_id="app"} 1']);
  t.deepEqual(await ask('cpu', NOW, { withNames: true }), ['cpu{source_id="app"} 1']);
  t.deepEqual(await ask('{source_id="app"}', NOW), [
    'cpu{source_id="app"} 1',
    'mem{source_id="app"} 2',
  ]);
  t.deepEqual(await ask('count by (__name__) (cpu)', NOW), ['cpu{} 1']);
  t.deepEqual(await ask('label_replace(cpu, "n", "$1", "__name__", "(.*)")', NOW), [
    'cpu{n="cpu", source_id="app"} 1',
  ]);
});

test('lines of logs are a counter, the first of them included', async (t) => {
  const { put, ask } = testQuerier();
  const tags = { job: 'web' };
  for (const second of [10, 10, 20, 20, 20, 50]) put(logAt(NOW + second, { tags }));
  put(logAt(NOW + 20, { tags, isError: true }));
  const web = 'job="web", log_type="OUT", source_id="app"';
  t.deepEqual(await ask('log_lines_total{log_type="OUT"}', NOW + 60), [`{${web}} 6`]);
  t.deepEqual(await ask('log_lines_total{log_type="OUT"}', NOW + 19), [`{${web}} 2`]);
  t.deepEqual(await ask('changes(log_lines_total{log_type="OUT"}[1m])', NOW + 60), [`{${web}} 3`]);
  t.deepEqual(await ask('sum(log_lines_total)', NOW + 60), ['{} 7']);
  const [increase = ''] = await ask('increase(log_lines_total{log_type="OUT"}[1m])', NOW + 60);
  t.true(Math.abs(Number(increase.split(' ').at(-1)) - 6) < 1, increase);
  t.deepEqual(await ask('log_lines_total', NOW), []);
});

test('a quiet app’s lines stay a counter that does not grow', async (t) => {
  const { put, ask } = testQuerier();
  put(logAt(NOW), logAt(NOW + 1));
  t.deepEqual(await ask('sum(log_lines_total)', NOW + 3600), ['{} 2']);
  t.deepEqual(await ask('sum(rate(log_lines_total[5m]))', NOW + 3600), ['{} 0']);
});

test('samples have whole seconds, and those of one second all count', async (t) => {
  const { put, ask } = testQuerier();
  put(timerAt(NOW, 'x', 1n), timerAt(NOW, 'x', 3n), timerAt(NOW + 1, 'x', 5n));
  t.deepEqual(await ask('x[1m]', NOW + 1), [`{source_id="app"} ${NOW}:1 ${NOW}:3 ${NOW + 1}:5`]);
  t.deepEqual(await ask('count_over_time(x[1m])', NOW + 1), ['{source_id="app"} 3']);
  t.deepEqual(await ask('x', NOW), ['{source_id="app"} 3']);
  t.deepEqual(await ask('rate(x[1m])', NOW), []);
  t.deepEqual(await ask('irate(x[1m])', NOW), []);
});

test('looks five minutes back, and no further', async (t) => {
  const { put, ask } = testQuerier();
  put(gaugeAt(NOW, { x: 1 }));
  t.is((await ask('x', NOW + 300)).length, 1);
  t.is((await ask('x', NOW + 301)).length, 0);
  t.is((await ask('x', NOW - 1)).length, 0);
});

test('a source that has nothing to do with the query is not seen', async (t) => {
  const { put, ask } = testQuerier();
  put(gaugeAt(NOW, { x: 1 }, { source: 'a' }), gaugeAt(NOW, { x: 1 }, { source: 'b' }));
  t.deepEqual(await ask('sum(x)', NOW), ['{} 2']);
  t.deepEqual(await ask('sum(x)', NOW, { sources: new Set(['b', 'c']) }), ['{} 1']);
  t.deepEqual(await ask('x{source_id="a"}', NOW, { sources: new Set(['b']) }), []);
  t.deepEqual(await ask('sum(x)', NOW, { sources: new Set() }), []);
});

test('what an expression matches and the asker may not see stays hidden', async (t) => {
  const { put, ask } = testQuerier();
  for (const source of ['a.b', 'axb', 'c']) put(gaugeAt(NOW, { x: 1 }, { source }));
  const [dotted, mine] = ['x{source_id=~"a.b|c"}', { sources: new Set(['a.b', 'c']) }];
  t.is((await ask(dotted, NOW)).length, 3);
  t.deepEqual(await ask(dotted, NOW, mine), ['{source_id="a.b"} 1', '{source_id="c"} 1']);
  t.deepEqual(await ask('sum(x{source_id=~"a\\\\.b|axb"})', NOW, mine), ['{} 1']);
});

test('what reads nothing has an answer for whoever may see nothing', async (t) => {
  const { ask } = testQuerier();
  t.deepEqual(await ask('vector(1+1)', NOW, { sources: new Set() }), ['{} 2']);
});

test('years without a line of logs are too much to fill, and are told so', async (t) => {
  const budget = new SampleBudget(1_000_000);
  const { put, ask } = testQuerier({ budget });
  put(logAt(1), logAt(NOW));
  await t.throwsAsync(ask('count_over_time(log_lines_total[60y])', NOW), {
    instanceOf: QueryError,
    message: 'query processing would load too many samples into memory in query execution',
  });
  t.is(budget.held, 0);
  t.deepEqual(await ask('log_lines_total', NOW), ['{log_type="OUT", source_id="app"} 2']);
});

test('a line of logs from a far future is of no account before it is there', async (t) => {
  const { put, ask } = testQuerier();
  put(logAt(NOW), logAt(9_000_000_000));
  t.deepEqual(await ask('log_lines_total', 9_000_000_000), []);
  t.deepEqual(await ask('count_over_time(log_lines_total[1h]) > 0', 9_000_000_000), []);
});

/** A source of one series for each metric, which takes a while and counts who asks at once. */
class SlowSource implements SeriesSource {
  running = 0;
  most = 0;

  async select({ matchers }: Selection): Promise<Selected> {
    this.running += 1;
    this.most = Math.max(this.most, this.running);
    for (let round = 0; round < 10; round += 1) await nextRound();
    this.running -= 1;
    const [name] = matchers;
    if (name?.value === 'broken') throw new QueryError('execution', 'broken');
    const labels = Labels.of([[METRIC_NAME, name?.value ?? '']]);
    const times = Float64Array.of(NOW * 1000);
    const series = { labels, type: 'gauge', unit: '', times, values: Float64Array.of(1) } as const;
    return { series: [series], unreachable: [] };
  }
}

for (const [query, value] of [
  ['a + b', 2],
  ['a + b * c - d / e + f + g + h + i + j', 6],
  ['sum(a) / scalar(b)', 1],
  ['clamp(a, scalar(b), scalar(c))', 1],
  ['quantile(scalar(a), b)', 1],
] as const) {
  test(`the selectors of ${query} are fetched beside each other`, async (t) => {
    const source = new SlowSource();
    const { ask } = testQuerier({ source });
    t.deepEqual(await ask(query, NOW), [`{} ${value}`]);
    t.true(source.most >= 2);
    t.true(source.most <= 8);
  });
}

test('when one of several selectors fails, the others hold nothing afterwards', async (t) => {
  const budget = new SampleBudget(1000);
  const source = new SlowSource();
  const { ask } = testQuerier({ source, budget });
  await t.throwsAsync(ask('(a + broken) + (b + (c + d))', NOW), { message: 'broken' });
  t.true(await eventually(() => source.running === 0));
  t.is(budget.held, 0);
});

test('a chain of 2000 operands and what nests 490 deep have answers', async (t) => {
  const { put, ask } = testQuerier();
  put(gaugeAt(NOW, { x: 1 }));
  t.deepEqual(await ask(Array(2000).fill('1').join(' + '), NOW), ['scalar 2000']);
  t.deepEqual(await ask(Array(300).fill('x').join(' + '), NOW), ['{source_id="app"} 300']);
  for (const nested of [
    `${'('.repeat(490)}x${')'.repeat(490)}`,
    `${'abs('.repeat(490)}x${')'.repeat(490)}`,
    `${'-'.repeat(490)}x`,
    Array(490).fill('x').join('^'),
  ]) {
    t.deepEqual(await ask(nested, NOW), ['{source_id="app"} 1']);
  }
});

test('a name of JavaScript is no name of a group', async (t) => {
  const { put, ask } = testQuerier();
  put(gaugeAt(NOW, { x: 1 }, { tags: { a: 'b' } }));
  t.deepEqual(
    await ask('label_replace(x, "a", "-$constructor-$toString", "a", "(?P<n>.*)")', NOW),
    ['{a="--", source_id="app"} 1'],
  );
});

for (const [bounds, message] of [
  [{ startMs: 0, endMs: 1000, stepMs: 0 }, /zero or negative query resolution step widths/],
  [{ startMs: 0, endMs: 0, stepMs: 0 }, /zero or negative query resolution step widths/],
  [{ startMs: 0, endMs: 1000, stepMs: -1 }, /zero or negative query resolution step widths/],
  [{ startMs: 1000, endMs: 0, stepMs: 1 }, /end timestamp must not be before start time/],
  [{ startMs: 0, endMs: 11_001, stepMs: 1 }, /exceeded maximum resolution of 11,000 points/],
] as const) {
  test(`refuses a range of ${JSON.stringify(bounds)}`, async (t) => {
    const { querier } = testQuerier();
    const error = await t.throwsAsync(
      querier.range('x', bounds, ANYBODY, async () => 0),
      {
        instanceOf: QueryError,
        message,
      },
    );
    t.is(error?.type, 'bad_data');
  });
}

test('a subquery without a step has one of a minute', async (t) => {
  const { put, ask } = testQuerier();
  put(gaugeAt(NOW - 600, { x: 1 }), gaugeAt(NOW, { x: 1 }));
  t.deepEqual(
    await ask('count_over_time(x[5m:])', NOW),
    await ask('count_over_time(x[5m:1m])', NOW),
  );
});

for (const query of [
  'vector(1)[1y:1ms]',
  'sum_over_time(vector(1)[100y:1s])',
  'max_over_time(x[100d:1s])',
  'max_over_time(max_over_time(x[10d:1s])[10d:1s])',
]) {
  test(`${query} is too much, and is told so`, async (t) => {
    const budget = new SampleBudget(1_000_000);
    const { put, ask } = testQuerier({ budget });
    put(gaugeAt(NOW, { x: 1 }));
    await t.throwsAsync(ask(query, NOW), {
      instanceOf: QueryError,
      message: 'query processing would load too many samples into memory in query execution',
    });
    t.is(budget.held, 0, 'what it held is free again');
  });
}

test('a query that takes too long ends, and is counted', async (t) => {
  const { put, ask, metrics } = testQuerier({ timeoutMs: 20 });
  for (let second = 0; second < 3000; second += 1) put(gaugeAt(NOW + second, { x: second }));
  const slow = 'quantile_over_time(0.5, x[1h])';
  const error = await t.throwsAsync(ask(`max_over_time(${slow}[2h:1s])`, NOW + 3000), {
    instanceOf: QueryError,
    message: 'query timed out in expression evaluation',
  });
  t.is(error?.message, 'query timed out in expression evaluation');
  t.is(metricOf(metrics, 'log_cache_promql_timeout'), 1);
});

test('a query ends when its caller goes', async (t) => {
  const { put, ask } = testQuerier();
  for (let second = 0; second < 3000; second += 1) put(gaugeAt(NOW + second, { x: second }));
  const gone = new AbortController();
  const asked = ask('max_over_time(quantile_over_time(0.5, x[1h])[2h:1s])', NOW + 3000, {
    signal: gone.signal,
  });
  setTimeout(() => gone.abort(), 10);
  const error = await t.throwsAsync(asked, { instanceOf: QueryError });
  t.is((error as QueryError).type, 'canceled');
});

test('says how long queries took', async (t) => {
  const { ask, querier, metrics } = testQuerier();
  await ask('1', NOW);
  t.true((metricOf(metrics, 'log_cache_promql_instant_query_time') ?? 0) > 0);
  await querier.range('1', { startMs: 0, endMs: 1, stepMs: 1 }, ANYBODY, async () => 0);
  t.true((metricOf(metrics, 'log_cache_promql_range_query_time') ?? 0) > 0);
});

test('an expression that would explode does not', async (t) => {
  const { put, ask } = testQuerier();
  put(gaugeAt(NOW, { x: 1 }, { tags: { a: 'a'.repeat(5000) } }));
  t.deepEqual(await ask('x{a=~"(a+)+b"}', NOW), []);
  await t.throwsAsync(ask('x{a=~"(a{100}){100}"}', NOW), { instanceOf: QueryError });
  await t.throwsAsync(ask(`x{a=~"${'(a|b)'.repeat(1600)}"}`, NOW), { instanceOf: QueryError });
});

test('a store of a million tags is too much for one query, not for the process', async (t) => {
  const { put, ask } = testQuerier();
  const envelopes = Array.from({ length: 1000 }, (_, n) => n);
  for (let round = 0; round < 60; round += 1) {
    put(...envelopes.map((n) => gaugeAt(NOW, { x: 1 }, { tags: { id: `${round}-${n}` } })));
  }
  await t.throwsAsync(ask('sum(x)', NOW), {
    instanceOf: QueryError,
    message: /too many different series/,
  });
  t.deepEqual(await ask('sum(x{source_id="b"})', NOW), []);
});

// The same store is read envelope by envelope, whatever the order of tags and whoever came between.
for (const seed of [1, 2, 3]) {
  test(`finds every sample of many series, seed ${seed}`, async (t) => {
    const random = randomFrom(seed);
    const { put, ask } = testQuerier();
    const sums = new Map<string, number>();
    for (let n = 0; n < 2000; n += 1) {
      const instance = String(random(4));
      const keys = ['job', 'zone', 'deployment'].toSorted(() => random(3) - 1);
      const tags = Object.fromEntries(keys.map((key) => [key, `${key}${random(2)}`]));
      const value = random(100);
      const labels = [`deployment="${tags.deployment}"`, `instance_id="${instance}"`];
      const key = `{${labels.join(', ')}, job="${tags.job}", source_id="app", zone="${tags.zone}"}`;
      sums.set(key, (sums.get(key) ?? 0) + value);
      const where = { instance, tags };
      put(
        random(2)
          ? gaugeAt(NOW + n, { x: value, y: 1 }, where)
          : counterAt(NOW + n, 'x', value, where),
      );
      if (random(3) === 0) put(logAt(NOW + n, where));
    }
    const lines = await ask('sum_over_time(x[1h])', NOW + 2000);
    const expected = [...sums].map(([key, sum]) => `${key} ${sum}`);
    t.deepEqual([...lines].sort(), expected.sort());
  });
}

/** A budget of which no query gives back what it does not hold. */
class StrictBudget extends SampleBudget {
  mistakes = 0;

  override add(samples: number, own: number): boolean {
    if (own + samples < 0) this.mistakes += 1;
    return super.add(samples, own);
  }
}

// Whatever is asked, there is an answer or an error with a reason, and nothing stays held.
for (const seed of [1, 2]) {
  test(`answers or refuses any query, seed ${seed}`, async (t) => {
    t.timeout(120_000);
    const random = randomFrom(seed);
    const budget = new StrictBudget(2_000_000);
    const { put, querier } = testQuerier({ budget, timeoutMs: 2000 });
    for (let n = 0; n < 300; n += 1) {
      put(
        gaugeAt(NOW + n, { x: random(100), le: 1 }, { instance: String(random(3)) }),
        logAt(NOW + n),
      );
    }
    const parts =
      'x log_lines_total {source_id=~".+"} [5m] [1h:1s] [3m:] rate( sum( topk(2, quantile(0.5, count_values("v", by (instance_id) absent( histogram_quantile(0.5, label_replace( , "a" "$1" ".*" label_join( time() ) ) ) + - * / ^ % == and or unless on (instance_id) group_left() offset 1m offset -1y @ 0 @ end() 1 1e9 NaN vector( scalar( bool max_over_time( predict_linear( , 1 ) clamp( sort( -'.split(
        ' ',
      );
    let answered = 0;
    for (let round = 0; round < 3000; round += 1) {
      const length = 1 + random(9);
      const query = Array.from({ length }, () => parts[random(parts.length)]).join(' ');
      const bounds = {
        startMs: NOW * 1000,
        endMs: (NOW + 600) * 1000,
        stepMs: 1000 * (1 + random(60)),
      };
      try {
        await querier.range(query, bounds, ANYBODY, async ({ result }) => linesOf(result));
        answered += 1;
      } catch (error) {
        t.true(
          error instanceof QueryError,
          `${query}: ${error instanceof Error ? error.stack : error}`,
        );
      }
    }
    t.true(answered > 20, `${answered} were answered`);
    t.is(budget.held, 0);
    t.is(budget.mistakes, 0);
  });
}
