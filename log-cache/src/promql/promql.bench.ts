/**
 * What queries cost, from the store to the JSON of the answer.
 *
 *     npm run bench -- promql
 */

import { Metrics } from '@standpipe/plumbing';
import { Batch, scanBatch } from '@standpipe/protos';
import { encodeBatch, longOf, randomFrom } from '@standpipe/protos/testing';
import { Store } from '../store.ts';
import { resultBody } from './format.ts';
import { LocalSeries } from './local-series.ts';
import { Querier } from './querier.ts';

const START = 1_700_000_000;
const HOUR = 3600;
const POINTS = 20_000;
const RUN_MS = 1000;

const asker = { signal: new AbortController().signal };
const TAGS = {
  deployment: 'cf',
  index: '5b4ce2a1-8f0d-4d5e-b5a8-6f3b1c1d2e3f',
  ip: '10.0.16.24',
  job: 'router',
  origin: 'gorouter',
  zone: 'az1',
};

export async function main(): Promise<void> {
  for (const [name, instances, isShuffled] of [
    ['one series', 1, false],
    ['ten series', 10, false],
    ['ten series, tags in any order', 10, true],
  ] as const) {
    const querier = querierOf(instances, isShuffled);
    const range = 'query_range rate(x[1m]), 1 h, step 15 s';
    print(`${name}: ${range}`, await cpuPerQuery(querier, 'rate(x[1m])'));
    const by = 'query_range sum by (job) (rate(x[1m]))';
    print(`${name}: ${by}`, await cpuPerQuery(querier, 'sum by (job) (rate(x[1m]))'));
    const logs = 'query_range sum(rate(log_lines_total[1m])), 20,000 lines';
    print(`${name}: ${logs}`, await cpuPerQuery(querier, 'sum(rate(log_lines_total[1m]))'));
  }
}

/** A store with 20,000 counters within an hour, and as many lines of logs. */
function querierOf(instances: number, isShuffled: boolean): Querier {
  const metrics = new Metrics({ origin: 'bench' });
  const store = new Store({ metrics });
  const batch = new Batch();
  const random = randomFrom(1);
  for (let from = 0; from < POINTS; from += 100) {
    const envelopes = Array.from({ length: 100 }, (_, n) => {
      const second = START + Math.floor(((from + n) * HOUR) / POINTS);
      const entries = Object.entries(TAGS);
      if (isShuffled) entries.sort(() => random(3) - 1);
      return {
        timestamp: longOf(BigInt(second) * 1_000_000_000n),
        source_id: 'router',
        instance_id: String(n % instances),
        tags: Object.fromEntries(entries),
        counter: { name: 'x', delta: 1, total: from + n },
      };
    });
    const logs = envelopes.map(({ counter: _, ...rest }) => ({
      ...rest,
      log: { payload: Buffer.from('GET /checkout 200') },
    }));
    scanBatch(encodeBatch([...envelopes, ...logs]), batch);
    store.put(batch);
  }
  return new Querier({ source: new LocalSeries(store, metrics), metrics });
}

function print(name: string, cpuMs: number): void {
  process.stdout.write(`  ${name.padEnd(88)} ${cpuMs.toFixed(2).padStart(8)} CPU-ms\n`);
}

async function cpuPerQuery(querier: Querier, query: string): Promise<number> {
  const bounds = { startMs: START * 1000, endMs: (START + HOUR) * 1000, stepMs: 15_000 };
  const ask = (): Promise<unknown> =>
    querier.range(query, bounds, asker, ({ result }, pace) => resultBody(result, [], pace));
  const warm = performance.now();
  while (performance.now() - warm < RUN_MS / 2) await ask();
  const before = process.cpuUsage();
  const start = performance.now();
  let calls = 0;
  while (performance.now() - start < RUN_MS) {
    await ask();
    calls += 1;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / calls;
}
