import { Batch, Kind, loggregator, scanBatch } from '@standpipe/protos';
import { cfBatch, encodeEnvelope, leanBatch, longOf, randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { type EnvelopeInit, testStore } from './testing.ts';
import { framed, oddEnvelope } from './testing-envelopes.ts';

const FIRST = 1_700_000_000_000_000_000n;
const TAGS = { app_name: 'shop', origin: 'rep', process_type: 'web', zone: 'az1' };

test('keeps what repeats in the envelopes of a source once', (t) => {
  for (const [shape, part] of [
    [leanBatch, 0.55],
    [cfBatch, 0.25],
  ] as const) {
    const { store } = testStore();
    let wireBytes = 0;
    for (let n = 0; n < 50; n += 1) {
      const { bytes } = shape(100, { timestamp: FIRST + BigInt(n) * 1_000_000n });
      wireBytes += bytes.length;
      putRaw(store, bytes);
    }
    t.true(store.usedBytes < part * wireBytes, `${store.usedBytes} of ${wireBytes}`);
  }
});

test('keeps what repeats once when a source has many instances', (t) => {
  const { store } = testStore();
  let wireBytes = 0;
  for (let n = 0; n < 5000; n += 1) {
    const envelope = encodeEnvelope({ ...log(n), instance_id: String(n % 20) });
    wireBytes += envelope.length;
    putRaw(store, framed([envelope]));
  }
  t.true(store.usedBytes < 0.65 * wireBytes, `${store.usedBytes} of ${wireBytes}`);
});

test('keeps what repeats once when an encoder writes tags in any order', (t) => {
  for (const [shape, part] of [
    [leanBatch, 0.55],
    [cfBatch, 0.25],
  ] as const) {
    const { store } = testStore();
    const shuffle = randomFrom(4);
    let wireBytes = 0;
    for (let n = 0; n < 50; n += 1) {
      const { bytes } = shape(100, { timestamp: FIRST + BigInt(n) * 1_000_000n, shuffle });
      wireBytes += bytes.length;
      putRaw(store, bytes);
    }
    t.true(store.usedBytes < part * wireBytes, `${store.usedBytes} of ${wireBytes}`);
  }
});

for (const seed of [1, 2, 3, 5, 8, 13]) {
  test(`changes nothing of an envelope but the order of its tags, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const { store } = testStore();
    let reordered = 0;
    for (let step = 0; step < 100; step += 1) {
      const bytes = framed(Array.from({ length: 20 }, () => withAnyTags(random)));
      const before = loggregator.v2.EnvelopeBatch.decode(bytes);
      const came = Buffer.from(bytes);
      putRaw(store, bytes);
      t.deepEqual(loggregator.v2.EnvelopeBatch.decode(bytes), before);
      if (!bytes.equals(came)) reordered += 1;
    }
    t.true(reordered > 0);
  });
}

test('leaves tags in their order of which one has its key twice', (t) => {
  const head = Buffer.concat([
    encodeEnvelope({ timestamp: longOf(FIRST), source_id: 'app' }),
    encodeEnvelope({ log: { payload: Buffer.from('x') } }),
  ]);
  const twice = Buffer.from([0x4a, 9, 0x0a, 1, 0x61, 0x12, 1, 0x31, 0x0a, 1, 0x62]);
  const once = Buffer.from([0x4a, 6, 0x0a, 1, 0x62, 0x12, 1, 0x32]);
  const { store } = testStore();
  for (const tags of [
    [twice, once],
    [once, twice],
    [twice, once],
  ]) {
    const bytes = framed([Buffer.concat([head, ...tags])]);
    const came = Buffer.from(bytes);
    putRaw(store, bytes);
    t.deepEqual(bytes, came);
  }
});

// What is read must be the very bytes that were put, whatever they look like: each kind, its fields in
// any order and twice, tags in any order, times that no encoder writes so, and large ones between.
for (const seed of [1, 2, 3, 5, 8, 13, 21, 34]) {
  test(`gives back the bytes that were put, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const memoryLimitBytes = seed % 2 === 0 ? 128 * 1024 : 32 * 2 ** 20;
    const { store } = testStore({ memoryLimitBytes, maxPerSource: 1000 });
    const put = new Map<string, number>();
    let held = 0;
    for (let step = 0; step < 150; step += 1) {
      const envelopes = Array.from({ length: 1 + random(30) }, () => oddEnvelope(random));
      const batch = putRaw(store, framed(envelopes));
      for (let row = 0; row < batch.count; row += 1) {
        const key = `${batch.timestamp(row)} ${batch.envelope(row).toString('hex')}`;
        put.set(key, (put.get(key) ?? 0) + 1);
      }
    }
    for (const id of store.meta().keys()) {
      const cursor = store.cursor(id);
      const there: string[] = [];
      const back: string[] = [];
      const keyOf = (): string => {
        const { timeHigh, timeLow, start, end } = cursor ?? {};
        const bytes = Buffer.from(cursor?.bytes.subarray(start, end) ?? []);
        return `${(BigInt(timeHigh ?? 0) << 32n) | BigInt(timeLow ?? 0)} ${bytes.toString('hex')}`;
      };
      cursor?.seek(-(2 ** 31), 0);
      while (cursor?.next()) there.push(keyOf());
      while (cursor?.previous()) back.push(keyOf());
      t.deepEqual(back.toReversed(), there);
      for (const key of there) {
        const left = (put.get(key) ?? 0) - 1;
        t.true(left >= 0, key);
        put.set(key, left);
      }
      held += there.length;
    }
    t.is(held, store.size);
    t.true(held > 0);
  });
}

test('keeps envelopes without a message wherever in a segment they come to lie', (t) => {
  for (const instance of ['', '1', '12345', '123456789']) {
    const { store } = testStore({ memoryLimitBytes: 128 * 1024 });
    for (let n = 0; n < 10_000; n += 100) {
      const envelopes = Array.from({ length: 100 }, (_, index) =>
        encodeEnvelope({
          timestamp: longOf(FIRST + BigInt(n + index)),
          source_id: `source ${index % 3}`,
          instance_id: instance,
        }),
      );
      putRaw(store, framed(envelopes));
    }
    t.is(store.size + store.expired, 10_000);
  }
});

test('shows the message of an envelope without the rest of it, folded or not', (t) => {
  const { store } = testStore();
  const payloads = ['first', 'second', 'third'];
  for (const [n, payload] of payloads.entries()) {
    putRaw(store, framed([encodeEnvelope({ ...log(n), log: { payload: Buffer.from(payload) } })]));
  }
  const cursor = store.cursor('app');
  cursor?.seek(0, 0);
  for (const payload of payloads) {
    t.true(cursor?.next());
    const { messageBytes, messageStart, messageEnd } = cursor ?? {};
    const message = Buffer.from(messageBytes?.subarray(messageStart, messageEnd) ?? []);
    const inner = Buffer.concat([Buffer.from([0x0a, payload.length]), Buffer.from(payload)]);
    t.deepEqual(message, Buffer.concat([Buffer.from([0x22, inner.length]), inner]));
    t.is(cursor?.kind, Kind.log);
  }
});

function log(n: number): EnvelopeInit {
  return {
    timestamp: longOf(FIRST + BigInt(n)),
    source_id: 'app',
    instance_id: '0',
    tags: TAGS,
    log: { payload: Buffer.from(`line ${n}`) },
  };
}

function putRaw(store: ReturnType<typeof testStore>['store'], bytes: Buffer): Batch {
  const batch = new Batch();
  if (!scanBatch(bytes, batch)) throw new Error(batch.mistake);
  store.put(batch);
  return batch;
}

/** One of few envelopes, with its tags in any order, and with some keys twice or more often. */
function withAnyTags(random: (below: number) => number): Buffer {
  const which = random(6);
  const keys = ['origin', 'a', '', 'process_type', 'proxess_type', 'x'.repeat(140)];
  const few = randomFrom(which);
  const tags = Array.from({ length: 2 + which }, () =>
    encodeEnvelope({
      tags: { [keys[few(keys.length)] ?? '']: 'v'.repeat(few(3) === 0 ? 130 : few(2)) },
    }),
  );
  const ranked = tags.map((tag) => ({ tag, rank: random(1000) }));
  const inOrder = ranked.toSorted((one, two) => one.rank - two.rank).map(({ tag }) => tag);
  const rest = encodeEnvelope({ source_id: 'app', log: { payload: Buffer.from('x') } });
  return Buffer.concat([encodeEnvelope({ timestamp: longOf(FIRST) }), rest, ...inOrder]);
}
