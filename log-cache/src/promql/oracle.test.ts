/**
 * Debian's Prometheus is the oracle: the same samples, the same queries, the same answers. Runs where
 * Prometheus is installed; where REQUIRE_PROMETHEUS is set, it must be.
 */

import { Metrics } from '@standpipe/plumbing';
import { eventually } from '@standpipe/plumbing/testing';
import { longOf, randomFrom } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { Store } from '../store.ts';
import { batchOf } from '../testing.ts';
import { ParseError, QueryError } from './errors.ts';
import type { Result } from './format.ts';
import { LocalSeries } from './local-series.ts';
import { METRIC_NAME } from './names.ts';
import {
  difference,
  isSame,
  OVER_A_RANGE,
  type Readable,
  readable,
  refusal,
  shown,
} from './oracle-answers.ts';
import { CORNERS } from './oracle-corners.ts';
import { isOfItsVersion, MISTAKES, randomText } from './oracle-mistakes.ts';
import { PICKED } from './oracle-picked.ts';
import { randomQuery } from './oracle-queries.ts';
import { oracleSeries, SECONDS, START } from './oracle-series.ts';
import { parse } from './parse.ts';
import { hasPrometheus, type OracleSeries, Prometheus } from './prometheus.ts';
import { Querier } from './querier.ts';

const whereInstalled = hasPrometheus() || process.env.REQUIRE_PROMETHEUS ? test : test.skip;

const SEEDS = [1, 2, 3];
const QUERIES_PER_SEED = 60;
const TEXTS_PER_SEED = 500;
const SHOWN_MAX = 20;

whereInstalled('every query has Prometheus’ answer', async (t) => {
  t.timeout(300_000);
  const series = oracleSeries(7);
  const prometheus = await Prometheus.start(series);
  t.teardown(() => prometheus[Symbol.asyncDispose]());
  const querier = querierOf(series);
  await eventually(() => prometheus.isReady());

  const queries = [...PICKED, ...CORNERS];
  for (const seed of SEEDS) {
    const random = randomFrom(seed);
    for (let n = 0; n < QUERIES_PER_SEED; n += 1) queries.push(randomQuery(random));
  }
  const wrong: string[] = [];
  let answered = 0;
  for (const query of queries) {
    for (const time of [START + 601, START + SECONDS + 100]) {
      const params = { query, time: String(time) };
      const theirs = readable(await prometheus.ask('query', params));
      const ours = await answerOf(querier, query, time);
      const what = `${query} at ${time}`;
      if (!isSame(what, ours, theirs)) wrong.push(difference(what, ours, theirs));
      if (theirs.type !== 'error') answered += 1;
    }
    const bounds = { start: START + 300, end: START + 900, step: 37 };
    const params = { query, start: `${bounds.start}`, end: `${bounds.end}`, step: '37' };
    const theirs = readable(await prometheus.ask('query_range', params));
    const ours = await answerOf(querier, query, bounds);
    const what = query + OVER_A_RANGE;
    if (!isSame(what, ours, theirs)) wrong.push(difference(what, ours, theirs));
    if (theirs.type !== 'error') answered += 1;
  }
  t.is(wrong.slice(0, SHOWN_MAX).join('\n'), '', `${wrong.length} answers differ`);
  t.true(answered > queries.length, 'most queries have an answer');
});

whereInstalled('what is wrong with a query is told in Prometheus’ words', async (t) => {
  t.timeout(120_000);
  const prometheus = await readyPrometheus(t);
  const wrong: string[] = [];
  for (const query of MISTAKES) {
    const theirs = await refusalOf(prometheus, query);
    const ours = ownRefusalOf(query);
    if (ours !== theirs) wrong.push(`${query}\n  ours   ${ours}\n  theirs ${theirs}`);
  }
  t.is(wrong.slice(0, SHOWN_MAX).join('\n'), '', `${wrong.length} of ${MISTAKES.length} differ`);
});

for (const seed of SEEDS) {
  whereInstalled(`a text is a query where it is one for Prometheus, seed ${seed}`, async (t) => {
    t.timeout(300_000);
    const prometheus = await readyPrometheus(t);
    const random = randomFrom(seed);
    let accepted = 0;
    for (let n = 0; n < TEXTS_PER_SEED; n += 1) {
      const text = randomText(random);
      const theirs = await refusalOf(prometheus, text);
      const ours = ownRefusalOf(text);
      if (theirs === '') accepted += 1;
      if (isOfItsVersion(text, theirs)) continue;
      t.is(ours === '', theirs === '', `${text}\n  ours   ${ours}\n  theirs ${theirs}`);
    }
    t.true(accepted > TEXTS_PER_SEED / 20, `${accepted} of them are queries`);
  });
}

async function readyPrometheus(t: ExecutionContext): Promise<Prometheus> {
  const prometheus = await Prometheus.start(oracleSeries(7).slice(0, 1));
  t.teardown(() => prometheus[Symbol.asyncDispose]());
  await eventually(() => prometheus.isReady());
  return prometheus;
}

/** Why Prometheus refuses a text as no query; '' when it is one. */
async function refusalOf(prometheus: Prometheus, query: string): Promise<string> {
  const answer = (await prometheus.ask('query', { query, time: '0' })) as {
    readonly errorType?: string;
    readonly error?: string;
  };
  if (answer.errorType !== 'bad_data') return '';
  return (answer.error ?? '').replace(/^invalid parameter "query": /, '');
}

function ownRefusalOf(query: string): string {
  try {
    parse(query);
    return '';
  } catch (error) {
    if (error instanceof ParseError) return error.message;
    throw error;
  }
}

async function answerOf(
  querier: Querier,
  query: string,
  at: number | { readonly start: number; readonly end: number; readonly step: number },
): Promise<Readable> {
  const asker = { signal: new AbortController().signal, withNames: true };
  const answer = async ({ result }: { readonly result: Result }): Promise<Result> => result;
  try {
    if (typeof at === 'number') {
      return shown(await querier.instant(query, at * 1000, asker, answer));
    }
    const { start, end, step } = at;
    const bounds = { startMs: start * 1000, endMs: end * 1000, stepMs: step * 1000 };
    return shown(await querier.range(query, bounds, asker, answer));
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    return refusal(error);
  }
}

function querierOf(series: readonly OracleSeries[]): Querier {
  const metrics = new Metrics({ origin: 'test' });
  const store = new Store({ memoryLimitBytes: 64 * 2 ** 20, metrics });
  for (const { name, labels, samples } of series) {
    const { source_id, instance_id = '', ...tags } = labels;
    const envelopes = samples.map(([second, value]) => ({
      timestamp: longOf(BigInt(second) * 1_000_000_000n),
      source_id,
      instance_id,
      tags: { ...tags, [METRIC_NAME]: 'not the name' },
      gauge: { metrics: { [name]: { unit: '', value } } },
    }));
    store.put(batchOf(envelopes as Parameters<typeof batchOf>[0]));
  }
  return new Querier({ source: new LocalSeries(store, metrics), metrics });
}
