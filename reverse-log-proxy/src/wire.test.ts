/**
 * What the proxy and its gateway put on the wire, against bytes that are written here by the field
 * numbers of loggregator-api alone: neither protobufjs nor our own writers have a part in them.
 */

import { eventually } from '@standpipe/plumbing/testing';
import { double, field, fieldsInOrder, number } from '@standpipe/protos/testing';
import test from 'ava';
import { started as startedGateway } from './gateway/testing.ts';
import { started } from './testing-proxy.ts';

const SHARD_ID = field(1, 'shard');
const PREFERRED = number(3, 1);
const DETERMINISTIC_NAME = field(5, 'name');
const SELECTORS: readonly Buffer[] = [
  field(4, field(1, 'app'), field(2)),
  field(4, field(1, 'app'), field(3, field(1, 'requests'))),
  field(4, field(4, field(1, 'cpu'), field(1, 'memory'))),
  field(4, field(5)),
  field(4, field(6)),
];
const REQUEST = Buffer.concat([SHARD_ID, PREFERRED, ...SELECTORS, DETERMINISTIC_NAME]);

test('Dopplers are sent exactly the fields that a reader set', async (t) => {
  const { read, dopplers } = await started(t);
  await read({}, { raw: REQUEST });
  await eventually(() => dopplers[0].requests.length === 1);
  t.deepEqual(fieldsInOrder(dopplers[0].lastRequest), fieldsInOrder(REQUEST));

  await read({}, { raw: REQUEST, method: 'receiver' });
  await eventually(() => dopplers[0].requests.length === 2);
  const unnamed = Buffer.concat([SHARD_ID, PREFERRED, ...SELECTORS]);
  t.deepEqual(fieldsInOrder(dopplers[0].lastRequest), fieldsInOrder(unnamed));
});

test('Dopplers are sent a legacy selector as the only one, and nothing that is not set', async (t) => {
  const { read, dopplers } = await started(t);
  await read({}, { raw: field(2, field(1, 'app'), field(2)) });
  await eventually(() => dopplers[0].requests.length === 1);
  t.deepEqual(dopplers[0].lastRequest, field(4, field(1, 'app'), field(2)));
});

test('the gateway sends the proxy exactly the fields that a query sets', async (t) => {
  const { read, proxy } = await startedGateway(t);
  await read('?log');
  t.deepEqual(
    fieldsInOrder(proxy.lastRequest),
    fieldsInOrder(Buffer.concat([PREFERRED, field(4, field(2))])),
  );

  await read(
    '?shard_id=shard&deterministic_name=name&source_id=app&log&counter.name=requests&gauge.name=cpu,memory&timer&event',
  );
  const selectors = [
    field(2),
    field(3, field(1, 'requests')),
    field(4, field(1, 'cpu'), field(1, 'memory')),
    field(5),
    field(6),
  ].map((kind) => field(4, field(1, 'app'), kind));
  const expected = Buffer.concat([SHARD_ID, PREFERRED, ...selectors, DETERMINISTIC_NAME]);
  t.deepEqual(fieldsInOrder(proxy.lastRequest), fieldsInOrder(expected));
});

const LOG = field(4, field(1, 'hello'), number(2, 1));
const BEFORE = Buffer.concat([number(1, 7), field(2, 'app'), field(8, '0')]);

/** An envelope with this map of tags, before its log or after it. */
function envelope(tag: Buffer, { isLast = false } = {}): Buffer {
  return Buffer.concat(isLast ? [BEFORE, LOG, tag] : [BEFORE, tag, LOG]);
}

const tag = (value: string): Buffer => field(9, field(1, 'key'), field(2, value));
const deprecated = (value: Buffer): Buffer => field(3, field(1, 'key'), field(2, value));

/** 1 is text, 2 an integer, 3 a double. */
const VALUES: readonly (readonly [string, Buffer, string])[] = [
  ['text', field(1, 'value'), 'value'],
  ['18', number(2, 18), '18'],
  ['0.8', double(3, 0.8), '0.8'],
  ['999999', double(3, 999_999), '999999'],
  ['1000000', double(3, 1_000_000), '1e+06'],
  ['123456789', double(3, 123_456_789), '1.23456789e+08'],
  ['0.0001', double(3, 0.0001), '0.0001'],
  ['0.00001', double(3, 0.00001), '1e-05'],
  ['1e300', double(3, 1e300), '1e+300'],
];

for (const [what, value, text] of VALUES) {
  test(`R6: a reader that prefers tags gets the deprecated ${what} as a tag, ${text}`, async (t) => {
    const { open, dopplers } = await started(t);
    const reader = await open({ selectors: [{ log: {} }], use_preferred_tags: true });
    dopplers[0].send(field(1, envelope(deprecated(value))));
    await eventually(() => reader.messages.length === 1);
    t.deepEqual(reader.messages[0], field(1, envelope(tag(text), { isLast: true })));
  });
}

test('R6: a reader that says nothing gets tags as deprecated ones, which is the default', async (t) => {
  const { open, dopplers } = await started(t);
  const batched = await open({ selectors: [{ log: {} }] });
  const single = await open({ selectors: [{ log: {} }] }, { method: 'receiver' });
  dopplers[0].send(field(1, envelope(tag('value'))));
  await eventually(() => batched.messages.length === 1 && single.messages.length === 1);
  const expected = envelope(deprecated(field(1, 'value')), { isLast: true });
  t.deepEqual(batched.messages[0], field(1, expected));
  t.deepEqual(single.messages[0], expected);
});

test('what is in the map that a reader wants goes out as the bytes that came in', async (t) => {
  const { open, dopplers } = await started(t);
  const preferring = await open({ selectors: [{ log: {} }], use_preferred_tags: true });
  const others = await open({ selectors: [{ log: {} }] });
  const tagged = field(1, envelope(tag('value')));
  const old = field(1, envelope(deprecated(number(2, 18))));
  dopplers[0].send(tagged);
  dopplers[0].send(old);
  await eventually(() => preferring.envelopes.length === 2 && others.envelopes.length === 2);
  t.true(Buffer.concat(preferring.messages).includes(tagged));
  t.true(Buffer.concat(others.messages).includes(old));
});
