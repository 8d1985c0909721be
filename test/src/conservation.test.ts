/**
 * The pipeline's law, while processes are killed: in = out + dropped.
 *
 * Numbered lines of several sources go in without a pause. From a seed, processes are killed
 * outright, each once, and started again. In the end each line has come out, of the firehose or of
 * a cache, and never twice from the same one; or it is among those that a surviving process counts
 * as dropped, or as written to a peer that died. What is sent after the last one has returned comes
 * out whole, and the books of each process balance.
 */

import { IngressClient } from '@standpipe/agents';
import { readTls, systemClock } from '@standpipe/plumbing';
import { eventually, spyLog } from '@standpipe/plumbing/testing';
import { encodeEnvelope, numberedLog, randomFrom } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { readRest, WebSocketReader } from './clients/readers.ts';
import { Numbers } from './numbers.ts';
import { page, sumOf } from './start/rates.ts';
import { type TestPipeline, testPipeline } from './testing.ts';

const SOURCES = Array.from({ length: 8 }, (_, index) => `source-${index}`);
const VICTIMS = [
  'metron az1',
  'doppler az1/0',
  'doppler az1/1',
  'doppler az2/0',
  'reverse-log-proxy',
  'statsd-injector',
];
const LINES_BETWEEN = 200;
const FINAL_LINES = 400;

for (const seed of [1, 2, 3]) {
  test.serial(`each line comes out or is counted, seed ${seed}`, async (t) => {
    const random = randomFrom(seed);
    const standpipe = await testPipeline(t, { zones: { az1: 2, az2: 1 } });
    const firehose = await WebSocketReader.open(
      `${standpipe.front.replace('http', 'ws')}/firehose/conservation`,
    );
    t.teardown(() => firehose[Symbol.dispose]());
    await using source = new Source(standpipe);
    await whole(source, firehose);

    for (const name of shuffled(VICTIMS, random)) {
      const victim = standpipe.pipeline.process(name);
      await source.emit(random(LINES_BETWEEN));
      await victim.kill();
      await source.emit(LINES_BETWEEN);
      await victim.start();
      await whole(source, firehose);
    }
    // Sources go back to their owner when an agent has found it again, perhaps before the traffic
    // controller has; what comes then is in its cache.
    await whole(source, firehose, FINAL_LINES);

    const out = await settled(t, standpipe, firehose.numbers);
    const missing = out.missing(source.emitted).length;
    const counted = source.lost + (await countedBy(standpipe));
    t.log(`${source.emitted} emitted, ${missing} missing, ${counted} counted as lost`);
    t.true(missing <= counted, `${missing} are missing, ${counted} are counted`);
    t.true(out.size >= source.emitted / 2, `${out.size} of ${source.emitted} came out`);
    await balanced(standpipe);
  });
}

test.serial('without a fault nothing is missing and nothing is counted as lost', async (t) => {
  const standpipe = await testPipeline(t, { zones: { az1: 2, az2: 1 } });
  const firehose = await WebSocketReader.open(
    `${standpipe.front.replace('http', 'ws')}/firehose/conservation`,
  );
  t.teardown(() => firehose[Symbol.dispose]());
  await using source = new Source(standpipe);
  await whole(source, firehose);
  const before = source.emitted;
  await source.emit(3000);

  await eventually(() => firehose.numbers.missing(source.emitted).every((n) => n < before));
  t.deepEqual((await settled(t, standpipe, firehose.numbers)).missing(source.emitted), []);
  t.is(source.lost + (await countedBy(standpipe)), 0);
  await balanced(standpipe);
});

/** The same in an order from the seed. */
function shuffled<T>(items: readonly T[], random: (below: number) => number): T[] {
  const rest = [...items];
  return items.flatMap(() => rest.splice(random(rest.length), 1));
}

/** Sends numbered lines of all sources, as a program beside the agent does. */
class Source implements AsyncDisposable {
  emitted = 0;
  readonly #client: IngressClient;

  constructor({ server }: TestPipeline) {
    const { address, tls } = server('metron az1', 'metron');
    this.#client = new IngressClient({ address, tls: readTls(tls), log: spyLog() });
  }

  /** Lines that were dropped for want of an agent, or written to one that died. */
  get lost(): number {
    return this.#client.dropped + this.#client.unconfirmed;
  }

  /** Emits so many lines, a few at a time, so that a fault falls among them. */
  async emit(count: number): Promise<void> {
    for (const until = this.emitted + count; this.emitted < until; this.emitted += 1) {
      const sourceId = SOURCES[this.emitted % SOURCES.length] ?? '';
      const time = BigInt(Date.now()) * 1_000_000n + BigInt(this.emitted);
      this.#client.emit(encodeEnvelope(numberedLog(sourceId, this.emitted, time)));
      if (this.emitted % 10 === 0) await systemClock.sleep(1);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]();
  }
}

/** Emits until a stretch, of a line of every source at least, comes out of the firehose whole. */
async function whole(
  source: Source,
  firehose: WebSocketReader,
  lines: number = SOURCES.length,
): Promise<void> {
  await eventually(
    async () => {
      const before = source.emitted;
      await source.emit(lines);
      const arrived = (): boolean =>
        firehose.numbers.missing(source.emitted).every((n) => n < before);
      return eventually(arrived, { timeoutMs: 2000 }).catch(() => false);
    },
    { timeoutMs: 50_000, what: 'the whole pipeline' },
  );
}

/** All that came out: of the firehose, or else of a cache; fails if one of them gave a line twice. */
async function settled(
  t: ExecutionContext,
  { front }: TestPipeline,
  firehose: Numbers,
): Promise<Numbers> {
  const out = new Numbers();
  t.deepEqual(firehose.repeated().slice(0, 10), [], 'repeated at the firehose');
  out.addSeen(firehose);
  for (const source of SOURCES) {
    const cached = await readRest(front, source);
    t.deepEqual(cached.repeated().slice(0, 10), [], `repeated in the cache of ${source}`);
    out.addSeen(cached);
  }
  return out;
}

/** Waits until what each agent, and the traffic controller, took in is what it gave out or dropped. */
async function balanced({ pipeline }: TestPipeline): Promise<void> {
  for (const managed of pipeline.processes) {
    if (!['metron', 'traffic_controller'].includes(managed.spec.sourceId)) continue;
    await eventually(
      async () => {
        const text = await page(managed);
        const out = ['egress', 'dropped', 'filtered', 'waiting'].map((name) => sumOf(text, name));
        const taken = sumOf(text, 'ingress');
        return text !== '' && taken === out.reduce((sum, count) => sum + count, 0);
      },
      { what: `the books of ${managed.spec.name}` },
    );
  }
}

/** What the running processes count as dropped, or as written to a peer that died. */
async function countedBy({ pipeline }: TestPipeline): Promise<number> {
  const pages = await Promise.all(pipeline.processes.map(page));
  return pages
    .map((text) => sumOf(text, 'dropped') + sumOf(text, 'unconfirmed'))
    .reduce((sum, count) => sum + count, 0);
}
