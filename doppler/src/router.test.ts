import { Batch, loggregator, type PackedBatch, scanBatch } from '@standpipe/protos';
import {
  encodeBatch,
  encodeEnvelope,
  numberedLog,
  numberOf,
  randomFrom,
} from '@standpipe/protos/testing';
import test from 'ava';
import { PART_BYTES_MAX, PART_ENVELOPES_MAX } from './fanout.ts';
import { Router } from './router.ts';
import { readSelectors } from './selectors.ts';

type EnvelopeInit = loggregator.v2.IEnvelope;
type SelectorInit = loggregator.v2.ISelector;

const LOGS: SelectorInit = { log: {} };
const EVERYTHING: SelectorInit[] = [
  { log: {} },
  { counter: {} },
  { gauge: {} },
  { timer: {} },
  { event: {} },
];
const ONE_OF_EACH: EnvelopeInit[] = [
  { source_id: 'a', log: { payload: Buffer.from('x') } },
  { source_id: 'a', counter: { name: 'hits', delta: 1 } },
  { source_id: 'a', gauge: { metrics: { cpu: { value: 1 }, memory: { value: 2 } } } },
  { source_id: 'a', timer: { name: 'http' } },
  { source_id: 'a', event: { title: 'up' } },
];

test('gives every batch to the log cache, whoever else wants it', (t) => {
  const { route, cached } = setUp();
  route([numberedLog('a', 1)]);
  route([{}]);
  t.deepEqual(cached, [1, 1]);
});

test('hands on the very bytes that came in to all that want every envelope once', (t) => {
  const { route, subscribe } = setUp();
  const sinks = [
    subscribe(EVERYTHING),
    subscribe(EVERYTHING, { shardId: 's' }),
    subscribe([LOGS, { source_id: 'a', counter: {} }]),
  ];
  const bytes = route([numberedLog('a', 1), { source_id: 'a', counter: { name: 'x' } }]);
  for (const { parts } of sinks) t.is(parts[0]?.bytes, bytes);
});

test('gathers the same pick once, and shares it', (t) => {
  const { route, subscribe } = setUp();
  const first = subscribe([{ source_id: 'a', log: {} }]);
  const second = subscribe([{ source_id: 'a', log: {} }], { shardId: 's' });
  route([numberedLog('b', 1), numberedLog('a', 2), numberedLog('a', 3), numberedLog('b', 4)]);
  t.deepEqual(first.numbers(), [2, 3]);
  t.is(first.parts[0], second.parts[0]);
});

test('hands on nothing of a batch that a subscription wants nothing of', (t) => {
  const { route, subscribe } = setUp();
  const sinks = [subscribe([{ source_id: 'b', log: {} }]), subscribe([{ timer: {} }])];
  route([numberedLog('a', 1)]);
  for (const { parts } of sinks) t.deepEqual(parts, []);
});

for (const [at, selector] of EVERYTHING.entries()) {
  test(`selects exactly its kind: ${Object.keys(selector)[0]}`, (t) => {
    const { route, subscribe } = setUp();
    const sink = subscribe([selector]);
    route([...ONE_OF_EACH, {}]);
    t.deepEqual(sink.envelopes(), [encodeEnvelope(ONE_OF_EACH[at] ?? {})]);
  });
}

test('selects nothing for a selector with a source and no kind, and for no selector', (t) => {
  const { route, subscribe } = setUp();
  const sinks = [subscribe([{ source_id: 'a' }]), subscribe([])];
  route(ONE_OF_EACH);
  for (const { parts } of sinks) t.deepEqual(parts, []);
});

test('gives an envelope without a source to those that want any source', (t) => {
  const { route, subscribe } = setUp();
  const sink = subscribe([LOGS]);
  route([numberedLog('', 1)]);
  t.deepEqual(sink.numbers(), [1]);
});

test('compares source ids exactly', (t) => {
  const { route, subscribe } = setUp();
  const sink = subscribe([{ source_id: 'App', log: {} }]);
  route(['app', 'App', 'App ', 'Ap', 'é'].map((id, n) => numberedLog(id, n)));
  t.deepEqual(sink.numbers(), [1]);
});

test('selects counters by name', (t) => {
  const { route, subscribe } = setUp();
  const sink = subscribe([{ counter: { name: 'hits' } }]);
  const [wanted, ...others] = ['hits', 'hit', 'hitss', ''].map((name) => ({ counter: { name } }));
  route([...others, wanted ?? {}, { timer: { name: 'hits' } }]);
  t.deepEqual(sink.envelopes(), [encodeEnvelope(wanted ?? {})]);
});

const GAUGE_TABLE: [string, string[], string[], boolean][] = [
  ['whatever the order', ['b', 'a'], ['a', 'b'], true],
  ['not one metric more', ['a'], ['a', 'b'], false],
  ['not one metric less', ['a', 'b', 'c'], ['a', 'b'], false],
  ['nothing when a name is repeated', ['a', 'a'], ['a'], false],
  ["a gauge without metrics by the single name ''", [''], [], true],
  ["a gauge with the metric ''", [''], [''], true],
  ['any gauge by no name', [], ['a', 'b'], true],
];

for (const [title, names, metrics, fits] of GAUGE_TABLE) {
  test(`selects gauges by their whole set of names: ${title}`, (t) => {
    const { route, subscribe } = setUp();
    const sink = subscribe([{ gauge: { names } }]);
    route([
      { gauge: { metrics: Object.fromEntries(metrics.map((name) => [name, { value: 1 }])) } },
    ]);
    t.is(sink.envelopes().length, fits ? 1 : 0);
  });
}

test('delivers twice what overlapping selectors of one subscription select', (t) => {
  const { route, subscribe } = setUp();
  const sink = subscribe([LOGS, { source_id: 'a', log: {} }]);
  route([numberedLog('a', 1), numberedLog('b', 2)]);
  t.deepEqual(sink.numbers(), [1, 1, 2]);
});

test('delivers two copies for a selector listed twice, but one within a shard', (t) => {
  const { route, subscribe } = setUp();
  const alone = subscribe([LOGS, LOGS]);
  const sharded = subscribe([LOGS, LOGS], { shardId: 's' });
  route([numberedLog('a', 1), numberedLog('a', 2)]);
  t.deepEqual(alone.numbers(), [1, 1, 2, 2]);
  t.deepEqual(sharded.numbers(), [1, 2]);
});

test('shards are of each selector apart: nothing is shared between different ones, even if they overlap', (t) => {
  const { route, subscribe } = setUp();
  const any = subscribe([LOGS], { shardId: 's' });
  const one = subscribe([{ source_id: 'a', log: {} }], { shardId: 's' });
  route([numberedLog('a', 1)]);
  t.deepEqual([any.numbers(), one.numbers()], [[1], [1]]);
});

test('spreads a shard at random and not in turn, each envelope to one member', (t) => {
  const { route, subscribe } = setUp({ random: seeded(7) });
  const members = [1, 2, 3, 4].map(() => subscribe([LOGS], { shardId: 's' }));
  const outside = subscribe([LOGS], { shardId: 'other' });
  for (let n = 0; n < 4000; n += 100) {
    route(Array.from({ length: 100 }, (_, at) => numberedLog('a', n + at)));
  }
  const all = members.flatMap((member) => member.numbers()).sort((a, b) => a - b);
  t.deepEqual(
    all,
    Array.from({ length: 4000 }, (_, n) => n),
  );
  t.is(outside.numbers().length, 4000);
  for (const member of members) t.true(Math.abs(member.numbers().length - 1000) < 150);
});

test('sends equal counters to the same member of a deterministic shard: hash, other-hash', (t) => {
  const { route, subscribe } = setUp({ random: seeded(3) });
  const members = ['b', 'a'].map((deterministicName) =>
    subscribe([{ counter: {} }], { shardId: 's', deterministicName }),
  );
  const counters = Array.from({ length: 50 }, (_, n) => ({
    counter: { name: n % 2 === 0 ? 'hash' : 'other-hash', total: n },
  }));
  route(counters);
  // CRC-64 of `hash` is even and of `other-hash` odd; `a` comes before `b`.
  const [odd, even] = members.map((member) =>
    member.envelopes().map((bytes) => loggregator.v2.Envelope.decode(bytes).counter?.name),
  );
  t.deepEqual(even, Array(25).fill('hash'));
  t.deepEqual(odd, Array(25).fill('other-hash'));
});

test('sends gauges with the same names to the same member, whatever their order', (t) => {
  const { route, subscribe } = setUp({ random: seeded(3) });
  const members = ['a', 'b', 'c'].map((deterministicName) =>
    subscribe([{ gauge: {} }], { shardId: 's', deterministicName }),
  );
  route([
    { gauge: { metrics: { a: { value: 1 }, b: { value: 2 } } } },
    { gauge: { metrics: { b: { value: 3 }, a: { value: 4 } } } },
  ]);
  const owner = Number(0xa7ab8315b3e7ff36n % 3n);
  t.deepEqual(
    members.map((member) => member.envelopes().length),
    [0, 1, 2].map((at) => (at === owner ? 2 : 0)),
  );
});

test('spreads logs of a deterministic shard by chance', (t) => {
  const { route, subscribe } = setUp({ random: seeded(5) });
  const members = ['a', 'b'].map((deterministicName) =>
    subscribe([LOGS], { shardId: 's', deterministicName }),
  );
  route(Array.from({ length: 1000 }, (_, n) => numberedLog('a', n)));
  for (const member of members) t.true(Math.abs(member.numbers().length - 500) < 100);
});

test('ignores a deterministic name without a shard', (t) => {
  const { route, subscribe } = setUp();
  const members = ['a', 'b'].map((deterministicName) => subscribe([LOGS], { deterministicName }));
  route([numberedLog('a', 1)]);
  for (const member of members) t.deepEqual(member.numbers(), [1]);
});

test('stops delivering when a subscription is disposed of, and leaves others intact', (t) => {
  const { route, subscribe } = setUp();
  const selectors = [...EVERYTHING, { source_id: 'a', log: {} }, { counter: { name: 'x' } }];
  const leaving = subscribe(selectors, { shardId: 's' });
  const staying = subscribe([LOGS], { shardId: 's' });
  leaving.subscription[Symbol.dispose]();
  leaving.subscription[Symbol.dispose]();
  route([numberedLog('a', 1), ...ONE_OF_EACH]);
  t.deepEqual(leaving.parts, []);
  t.is(staying.envelopes().length, 2);
});

test('splits a batch of more than five hundred envelopes, for all alike', (t) => {
  const { route, subscribe } = setUp();
  const whole = subscribe([LOGS]);
  const half = subscribe([{ source_id: 'even', log: {} }]);
  const count = 2 * PART_ENVELOPES_MAX + 50;
  route(Array.from({ length: count }, (_, n) => numberedLog(n % 2 === 0 ? 'even' : 'odd', n)));
  t.deepEqual(
    whole.parts.map((part) => part.count),
    [500, 500, 50],
  );
  t.deepEqual(
    half.parts.map((part) => part.count),
    [500, 25],
  );
  t.deepEqual(
    whole.numbers(),
    Array.from({ length: count }, (_, n) => n),
  );
  t.deepEqual(
    half.numbers(),
    Array.from({ length: count / 2 }, (_, n) => 2 * n),
  );
});

test('splits a batch before it is too large for a gRPC reader', (t) => {
  const { route, subscribe } = setUp();
  const whole = subscribe([LOGS]);
  const rest = subscribe([{ source_id: 'a', log: {} }]);
  const payload = Buffer.alloc(1_500_000);
  const large = Array.from({ length: 5 }, () => ({ source_id: 'a', log: { payload } }));
  route([numberedLog('b', 1), ...large]);
  for (const { parts } of [whole, rest]) {
    t.deepEqual(
      parts.map((part) => part.count),
      parts === whole.parts ? [3, 2, 1] : [2, 2, 1],
    );
    for (const part of parts) t.true(part.byteLength <= PART_BYTES_MAX);
  }
});

test('sends on a single envelope that is too large for a part, alone', (t) => {
  const { route, subscribe } = setUp();
  const sink = subscribe([LOGS]);
  route([numberedLog('a', 1), { log: { payload: Buffer.alloc(PART_BYTES_MAX) } }]);
  t.deepEqual(
    sink.parts.map((part) => part.count),
    [1, 1],
  );
});

function seeded(seed: number): () => number {
  const random = randomFrom(seed);
  return () => random(2 ** 30) / 2 ** 30;
}

function setUp({ random = () => 0 }: { random?: () => number } = {}) {
  const cached: number[] = [];
  const batch = new Batch();
  const router = new Router({ cache: { put: ({ count }) => cached.push(count) }, random });
  return {
    cached,
    route: (envelopes: readonly EnvelopeInit[]): Buffer => {
      const bytes = encodeBatch(envelopes);
      if (!scanBatch(bytes, batch)) throw new Error(batch.mistake);
      router.route(batch);
      return bytes;
    },
    subscribe: (
      selectors: readonly SelectorInit[],
      {
        shardId = '',
        deterministicName = '',
      }: { shardId?: string; deterministicName?: string } = {},
    ) => {
      const parts: PackedBatch[] = [];
      const subscription = router.subscribe(
        { put: (part) => parts.push(part) },
        { selectors: readSelectors(selectors), shardId, deterministicName },
      );
      const envelopes = (): Buffer[] => parts.flatMap(envelopesOf);
      const numbers = (): number[] =>
        parts.flatMap(decoded).map(({ log }) => numberOf(log?.payload) ?? -1);
      return { parts, subscription, envelopes, numbers };
    },
  };
}

function decoded({ bytes }: PackedBatch) {
  return loggregator.v2.EnvelopeBatch.decode(bytes).batch;
}

/** The bytes of each envelope, as a scan of the part finds them. */
function envelopesOf({ bytes, count }: PackedBatch): Buffer[] {
  const batch = new Batch();
  if (!scanBatch(bytes, batch) || batch.count !== count) throw new Error('a part must be a batch');
  return Array.from({ length: count }, (_, index) => Buffer.from(batch.envelope(index)));
}
