import { Metrics } from '@standpipe/plumbing';
import { Batch, BatchBuilder, loggregator, scanBatch } from '@standpipe/protos';
import { encodeBatch, longOf, randomEnvelopes, randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { CounterTotals } from './counter-totals.ts';
import { type MetronMetrics, metronMetrics } from './metrics.ts';
import { type Lane, Processor } from './processor.ts';

type EnvelopeInit = loggregator.v2.IEnvelope;
type Envelope = loggregator.v2.Envelope;
type Value = loggregator.v2.IValue;

const TAGS = new Map([
  ['deployment', 'cf'],
  ['job', 'router'],
  ['index', '0'],
  ['ip', '10.0.0.1'],
]);

test('adds the tags of the agent where an envelope has none of that name', (t) => {
  const [first, second] = outOf(machine(), [{ source_id: 'a' }, { tags: { job: 'mine', x: 'y' } }]);
  t.deepEqual(first?.tags, Object.fromEntries(TAGS));
  t.deepEqual(second?.tags, { ...Object.fromEntries(TAGS), job: 'mine', x: 'y' });
});

test('passes an envelope that lacks nothing on as it is', (t) => {
  const it = machine({ tags: new Map() });
  const init = { source_id: 'a', tags: { x: 'y' }, log: { payload: Buffer.from('hi') } };
  t.deepEqual(bytesOutOf(it, [init]), encodeBatch([init]));
});

test('copies deprecated tags over preferred ones, as text, and keeps them besides', (t) => {
  const [out] = outOf(machine(), [
    {
      tags: { job: 'preferred', kept: 'kept' },
      deprecated_tags: {
        job: { text: 'deprecated' },
        whole: { integer: longOf(-(2n ** 63n)) },
        small: { decimal: 1.5e-9 },
        large: { decimal: -1e21 },
        none: {},
        ip: { text: '' },
      },
    },
  ]);
  t.deepEqual(out?.tags, {
    deployment: 'cf',
    index: '0',
    job: 'deprecated',
    kept: 'kept',
    whole: '-9223372036854775808',
    small: '0.0000000015',
    large: '-1000000000000000000000',
    none: '',
    ip: '',
  });
  t.is(Object.keys(out?.deprecated_tags ?? {}).length, 6);
});

test('gives an envelope without a source id its origin for one, and counts it', (t) => {
  const it = machine();
  const out = outOf(it, [
    { tags: { origin: 'preferred' }, deprecated_tags: { origin: { text: 'deprecated' } } },
    { deprecated_tags: { origin: { text: 'deprecated' } } },
    { deprecated_tags: { origin: { integer: longOf(5n) } } },
    { tags: { other: 'x' } },
    { source_id: 'own', tags: { origin: 'preferred' } },
  ]);
  t.deepEqual(
    out.map(({ source_id }) => source_id),
    ['preferred', 'deprecated', '', '', 'own'],
  );
  t.is(it.metrics.originMappings.value, 3);
});

test('routes by the source id that was filled in', (t) => {
  const it = machine();
  outOf(it, [{ tags: { origin: 'abc' } }, { source_id: 'def' }, {}]);
  t.deepEqual(it.routed, ['abc', 'def', '']);
});

test('throws logs away when told to, and counts them', (t) => {
  const it = machine({ logsDisabled: true });
  const out = outOf(it, [
    { source_id: 'a', log: { payload: Buffer.from('x') } },
    { source_id: 'b', counter: { name: 'c', delta: 1 } },
    { source_id: 'c' },
  ]);
  t.deepEqual(
    out.map(({ source_id }) => source_id),
    ['b', 'c'],
  );
  t.is(it.metrics.filtered.value, 1);
});

test('writes running totals for those who send deltas', (t) => {
  const it = machine();
  t.deepEqual(totals(it, [counter('a', 5n), counter('a', 3n), counter('b', 1n)]), [5n, 8n, 1n]);
  t.deepEqual(totals(it, [counter('a', 0n, 100n), counter('a', 2n)]), [100n, 102n]);
  t.deepEqual(totals(it, [counter('a', 7n, 50n), counter('a', 1n)]), [50n, 51n]);
  t.deepEqual(totals(it, [counter('a', 0n, 0n), counter('a', 4n)]), [0n, 4n]);
});

test('keeps totals apart by name, source id and every tag, but not by instance', (t) => {
  const base: EnvelopeInit = { source_id: 's', tags: { x: '1' }, counter: { name: 'n', delta: 1 } };
  const out = totals(machine(), [
    base,
    { ...base, instance_id: '7' },
    { ...base, source_id: 'other' },
    { ...base, tags: { x: '2' } },
    { ...base, tags: { x: '1', y: '' } },
    { ...base, tags: { x: '1', job: 'router' } }, // The very tag that the agent adds.
    { ...base, tags: {}, deprecated_tags: { x: { text: '1' } } },
    { ...base, counter: { name: 'm', delta: 1 } },
  ]);
  t.deepEqual(out, [1n, 2n, 1n, 1n, 1n, 3n, 4n, 1n]);
});

test('counts beyond 2^53 exactly, and wraps at 2^64', (t) => {
  const it = machine();
  t.deepEqual(totals(it, [counter('a', 2n ** 53n), counter('a', 1n)]), [2n ** 53n, 2n ** 53n + 1n]);
  t.deepEqual(totals(it, [counter('b', 2n ** 32n - 1n), counter('b', 1n)])[1], 2n ** 32n);
  t.deepEqual(totals(it, [counter('c', 2n ** 64n - 1n), counter('c', 3n)])[1], 2n);
});

test('forgets the counter that was counted on longest ago when there are too many', (t) => {
  const it = machine({ totals: new CounterTotals({ capacity: 2 }) });
  totals(it, [counter('a', 1n), counter('b', 1n), counter('a', 1n), counter('c', 1n)]);
  t.deepEqual(totals(it, [counter('a', 1n), counter('b', 1n)]), [3n, 1n]);
  t.is(it.metrics.totalsForgotten.value, 2);
});

test('counts on an identity of any size and number of tags', (t) => {
  const it = machine();
  const many = Object.fromEntries(
    Array.from({ length: 300 }, (_, n) => [`tag${n}`, 'v'.repeat(50)]),
  );
  const turned = Object.fromEntries(Object.entries(many).reverse());
  const init = { source_id: 's', counter: { name: 'n', delta: 2 } };
  t.deepEqual(
    totals(it, [
      { ...init, tags: many },
      { ...init, tags: turned },
    ]),
    [2n, 4n],
  );
});

// The decoded, tagged, totalled envelope must be what the rules make of the decoded original.
for (const seed of [1, 2, 3, 5, 8, 13, 21, 34]) {
  test(`does to bytes what the rules say of values, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const capacity = 1 + random(60);
    const it = machine({ totals: new CounterTotals({ capacity }) });
    const model = new Model(capacity);
    for (let round = 0; round < 10; round += 1) {
      const inits = randomEnvelopes(seed * 1000 + round, 100).map((init) =>
        init.counter && random(3) ? { ...init, counter: { ...init.counter, total: null } } : init,
      );
      const expected = decode(encodeBatch(inits)).map((envelope) => model.process(envelope));
      t.deepEqual(outOf(it, inits), expected);
    }
  });
}

/** The rules, on decoded envelopes, as simply as they can be written. */
class Model {
  readonly #capacity: number;
  readonly #totals = new Map<string, bigint>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  process(envelope: Envelope): Envelope {
    const { tags, deprecated_tags } = envelope;
    if (envelope.source_id === '') {
      const source = 'origin' in tags ? tags.origin : (deprecated_tags.origin?.text ?? '');
      if (source) envelope.source_id = source;
    }
    for (const [key, value] of Object.entries(deprecated_tags)) tags[key] = textOf(value);
    for (const [key, value] of TAGS) tags[key] ??= value;
    if (envelope.counter) this.#count(envelope);
    return envelope;
  }

  #count(envelope: Envelope): void {
    const { counter, source_id, tags } = envelope;
    if (!counter) return;
    const entries = Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1));
    const key = JSON.stringify([counter.name ?? '', source_id, entries]);
    const before = this.#totals.get(key);
    const delta = BigInt(String(counter.delta ?? 0));
    let total = BigInt(String(counter.total ?? 0));
    const isWritten = total === 0n && delta !== 0n;
    if (isWritten) total = (before ?? 0n) + delta;
    this.#totals.delete(key);
    if (before === undefined && this.#totals.size === this.#capacity) {
      const [oldest = ''] = this.#totals.keys();
      this.#totals.delete(oldest);
    }
    this.#totals.set(key, total);
    if (isWritten) counter.total = unsigned(total);
  }
}

function textOf(value: Value): string {
  if (value.text != null) return value.text;
  if (value.integer != null) return String(value.integer);
  return value.decimal == null ? '' : String(value.decimal);
}

interface Machine {
  readonly processor: Processor;
  readonly metrics: MetronMetrics;
  readonly builder: BatchBuilder;
  readonly routed: string[];
}

interface MachineOptions {
  readonly tags?: ReadonlyMap<string, string>;
  readonly logsDisabled?: boolean;
  readonly totals?: CounterTotals;
}

function machine(options: MachineOptions = {}): Machine {
  const metrics = metronMetrics(new Metrics({ origin: 'metron' }), {
    connected: () => 0,
    waiting: () => 0,
  });
  const builder = new BatchBuilder();
  const routed: string[] = [];
  const lane: Lane = { builder, added: () => undefined };
  const processor = new Processor({
    tags: TAGS,
    logsDisabled: false,
    ...options,
    metrics,
    owners: {
      laneOf(bytes, start, end) {
        routed.push(bytes.toString('utf8', start, end));
        return lane;
      },
    },
  });
  return { processor, metrics, builder, routed };
}

function bytesOutOf({ processor, builder }: Machine, inits: readonly EnvelopeInit[]): Buffer {
  const batch = new Batch();
  if (!scanBatch(encodeBatch(inits), batch)) throw new Error(batch.mistake);
  processor.process(batch);
  return builder.take().bytes;
}

function outOf(it: Machine, inits: readonly EnvelopeInit[]): Envelope[] {
  const bytes = bytesOutOf(it, inits);
  const batch = new Batch();
  if (!scanBatch(bytes, batch)) throw new Error(batch.mistake);
  return decode(bytes);
}

function decode(bytes: Buffer): Envelope[] {
  return loggregator.v2.EnvelopeBatch.decode(bytes).batch as Envelope[]; // Decoded, so complete.
}

function counter(name: string, delta: bigint, total = 0n): EnvelopeInit {
  return { source_id: 's', counter: { name, delta: unsigned(delta), total: unsigned(total) } };
}

function totals(it: Machine, inits: readonly EnvelopeInit[]): bigint[] {
  return outOf(it, inits).map((out) => BigInt.asUintN(64, BigInt(String(out.counter?.total ?? 0))));
}

function unsigned(value: bigint): NonNullable<loggregator.v2.ICounter['total']> {
  return loggregator.v2.Counter.fromObject({ total: String(value) }).total;
}
