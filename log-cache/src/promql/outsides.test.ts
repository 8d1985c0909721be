import { Batch, EnvelopeParts, scanBatch } from '@standpipe/protos';
import { encodeBatch, longOf, randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import type { Cursor } from '../cursor.ts';
import type { Store } from '../store.ts';
import { type EnvelopeInit, testStore } from '../testing.ts';
import { framed, oddEnvelope } from '../testing-envelopes.ts';
import { Outsides } from './outsides.ts';

// What is found where an envelope lies must be what its bytes have, also when others took its place.
for (const seed of [1, 2, 3, 5, 8, 13]) {
  test(`finds labels and bodies as if each envelope was decoded, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const { store } = testStore({ memoryLimitBytes: 128 * 1024, maxPerSource: 1000 });
    const outsides = new Outsides();
    let looked = 0;
    for (let round = 0; round < 15; round += 1) {
      for (let step = 0; step < 10; step += 1) {
        put(store, framed(Array.from({ length: 30 }, () => oddEnvelope(random))));
      }
      for (const id of store.sourceIds()) {
        const cursor = cursorOf(store, id);
        while (cursor.next()) {
          const { labels } = outsides.at(cursor);
          const bytes = Buffer.from(cursor.bytes.subarray(cursor.start, cursor.end));
          const whole = new EnvelopeParts().read(bytes, 0, bytes.length);
          t.deepEqual(
            labels.toSorted(),
            new Outsides().of(bytes, 0, bytes.length).labels.toSorted(),
          );
          t.deepEqual(bodyOf(outsides), whole.bytes.subarray(whole.bodyStart, whole.bodyEnd));
          looked += 1;
        }
      }
    }
    t.true(looked > 1000, `${looked}`);
  });
}

test('decodes the labels of a series once, and puts together none of its other envelopes', (t) => {
  const { store } = testStore();
  const counter = (total: number): EnvelopeInit => ({
    timestamp: longOf(BigInt(total)),
    source_id: 'app',
    instance_id: '0',
    tags: { zone: 'az1' },
    counter: { name: 'x', total },
  });
  put(store, encodeBatch(Array.from({ length: 100 }, (_, n) => counter(n + 1))));
  const outsides = new Outsides();
  const cursor = cursorOf(store, 'app');
  const read = new Set<Uint8Array>();
  while (cursor.next()) {
    outsides.at(cursor);
    read.add(outsides.bytes);
  }
  t.is(outsides.count, 1);
  t.deepEqual([...read], [cursor.messageBytes]);
});

function put(store: Store, bytes: Buffer): void {
  const batch = new Batch();
  if (!scanBatch(bytes, batch)) throw new Error(batch.mistake);
  store.put(batch);
}

function cursorOf(store: Store, id: string): Cursor {
  const cursor = store.cursor(id);
  if (cursor === undefined) throw new Error(`there is no ${id}`);
  cursor.seek(-(2 ** 31), 0);
  return cursor;
}

function bodyOf({ bytes, bodyStart, bodyEnd }: Outsides): Buffer {
  return Buffer.from(bytes.subarray(bodyStart, bodyEnd));
}
