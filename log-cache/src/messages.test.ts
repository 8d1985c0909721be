import { logcache, PackedBatch } from '@standpipe/protos';
import { encodeBatch, randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import {
  decodeMetaRequest,
  decodeReadRequest,
  encodeMetaRequest,
  encodeReadRequest,
  encodeReadResponse,
  encodeSendRequest,
  MalformedError,
  readCarrier,
} from './messages.ts';
import { readRequest } from './reader.ts';
import { line } from './testing.ts';

const { SendRequest, ReadResponse } = logcache.v1;
const BATCH = new PackedBatch(encodeBatch([line('a', 1), line('b', 2)]), 2);

for (const localOnly of [true, false]) {
  test(`writes a SendRequest as protobufjs does, local_only ${localOnly}`, (t) => {
    const request = encodeSendRequest(BATCH, localOnly);
    const message = SendRequest.decode(request);
    t.is(message.local_only, localOnly);
    t.is(message.envelopes?.batch?.length, 2);
    t.deepEqual(readCarrier(request), { envelopes: BATCH.bytes, localOnly, filtered: false });
  });
}

test('writes a ReadResponse whose batch is there even when it is empty', async (t) => {
  const message = ReadResponse.decode(
    await encodeReadResponse(new PackedBatch(Buffer.alloc(0), 0)),
  );
  t.deepEqual(message.envelopes?.batch, []);
});

test('says in a ReadResponse that filters were heeded, where protobufjs finds it', async (t) => {
  for (const filtered of [true, false]) {
    const response = await encodeReadResponse(BATCH, filtered);
    t.is(ReadResponse.decode(response).filtered, filtered);
    t.is(readCarrier(response).filtered, filtered);
  }
});

test('reads a batch in pieces as one, and passes over unknown fields', (t) => {
  const one = SendRequest.encode({ envelopes: { batch: [line('a', 1)] } }).finish();
  const unknown = [Buffer.from([0x7d, 1, 2, 3, 4]), Buffer.from([0x79, 1, 2, 3, 4, 5, 6, 7, 8])];
  const bytes = Buffer.concat([one, ...unknown, Buffer.from([0x78, 0x85, 0x01]), one]);
  const { envelopes, localOnly } = readCarrier(bytes);
  t.deepEqual(envelopes, encodeBatch([line('a', 1), line('a', 1)]));
  t.false(localOnly);
});

test('passes over unknown groups, with fields and other groups in them', (t) => {
  const one = encodeSendRequest(BATCH, true);
  const group = Buffer.from([
    ...[0x7b, 0x0a, 0x02, 0x7c, 0x7c, 0x10, 0x00, 0x15, 1, 2, 3, 4], // What is in it is not ours.
    ...[0x83, 0x01, 0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x84, 0x01, 0x7c],
  ]);
  const whole = { envelopes: BATCH.bytes, localOnly: true, filtered: false };
  t.deepEqual(readCarrier(Buffer.concat([group, one, group])), whole);
  t.notThrows(() => SendRequest.decode(Buffer.concat([group, one, group])));
  t.deepEqual(readCarrier(Buffer.concat([nested(100), one])), whole);
});

test('knows a request without envelopes from one with an empty batch', (t) => {
  t.is(readCarrier(Buffer.alloc(0)).envelopes, undefined);
  t.is(readCarrier(Buffer.from([0x10, 0x01])).localOnly, true);
  t.is(readCarrier(Buffer.from([0x0a, 0x00])).envelopes?.length, 0);
});

for (const [what, bytes] of [
  ['a tag without value', [0x0a]],
  ['a length beyond the end', [0x0a, 0x05, 0x00]],
  ['a varint without end', [0x10, 0x80]],
  ['a field number of zero', [0x02, 0x00]],
  ['a fixed value that is cut off', [0x7d, 0x01]],
  ['a wire type that does not exist', [0x0f, 0x01]],
  ['a group that is not closed', [0x7b, 0x10, 0x01]],
  ['a group that is closed under another number', [0x7b, 0x74]],
  ['the end of a group that never began', [0x7c]],
  ['101 groups in each other', [...nested(101)]],
] as const) {
  test(`refuses ${what}`, (t) => {
    t.throws(() => readCarrier(Buffer.from(bytes)), { instanceOf: MalformedError });
  });
}

test('refuses what protobufjs refuses, or reads it alike, whatever was done to it', (t) => {
  const random = randomFrom(21);
  const request = encodeSendRequest(new PackedBatch(encodeBatch([line('a', 1)]), 1), true);
  for (let round = 0; round < 2000; round += 1) {
    const bytes = Buffer.from(request.subarray(0, random(request.length + 1)));
    if (bytes.length > 0) bytes[random(Math.min(4, bytes.length))] = random(256);
    let mine: ReturnType<typeof readCarrier> | undefined;
    try {
      mine = readCarrier(bytes);
    } catch (error) {
      t.true(error instanceof MalformedError);
    }
    let theirs: logcache.v1.SendRequest | undefined;
    try {
      theirs = SendRequest.decode(bytes);
    } catch {
      continue; // What is in the batch is for the scan to refuse.
    }
    t.is(mine?.localOnly, theirs.local_only, bytes.toString('hex'));
    t.is(mine?.envelopes !== undefined, theirs.envelopes != null, bytes.toString('hex'));
  }
});

test('carries a read request there and back, with the largest numbers', (t) => {
  const request = readRequest('a/ü', {
    startTime: -(2n ** 63n),
    endTime: 2n ** 63n - 1n,
    limit: -1n,
    envelopeTypes: [1, 5, 77],
    descending: true,
    nameFilter: '(',
    contains: 'ü',
    matches: '[',
    tags: ['a:b', ''],
  });
  t.deepEqual(decodeReadRequest(encodeReadRequest(request)), request);
  t.deepEqual(decodeReadRequest(Buffer.alloc(0)), readRequest(''));
});

test('carries a request for meta there and back', (t) => {
  t.deepEqual(decodeMetaRequest(encodeMetaRequest(true)), { localOnly: true });
  t.deepEqual(decodeMetaRequest(encodeMetaRequest(false)), { localOnly: false });
});

test('refuses a request that is no message', (t) => {
  t.throws(() => decodeReadRequest(Buffer.from([0x0a, 0x05])), { instanceOf: MalformedError });
  t.throws(() => decodeMetaRequest(Buffer.from([0xff])), { instanceOf: MalformedError });
});

/** So many groups, one in the other. */
function nested(depth: number): Buffer {
  return Buffer.concat([Buffer.alloc(depth, 0x7b), Buffer.alloc(depth, 0x7c)]);
}
