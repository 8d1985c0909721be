import { status } from '@grpc/grpc-js';
import { listenGrpc, MAX_MESSAGE_BYTES, Metrics, readTls } from '@standpipe/plumbing';
import { eventually, spyLog, testTls } from '@standpipe/plumbing/testing';
import { type Batch, ingressService } from '@standpipe/protos';
import { encodeBatch, encodeEnvelope, numberedLog } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { Ingress } from './ingress.ts';
import { dopplerMetrics } from './metrics.ts';
import { Router } from './router.ts';
import { connect } from './testing.ts';

const { batchSender, sender, send } = ingressService;

test('takes in batches, envelopes and single requests, and counts envelopes', async (t) => {
  const { client, sources, counts } = await setUp(t);
  client.send(batchSender).call.write(encodeBatch(logs('a', 'b')));
  await eventually(() => sources.length === 2);
  client.send(sender).call.write(encodeEnvelope(numberedLog('c', 1)));
  await eventually(() => sources.length === 3);
  t.deepEqual(await client.ask(send, encodeBatch(logs('d', 'e'))), { code: 0, details: 'OK' });
  t.deepEqual(sources, ['a', 'b', 'c', 'd', 'e']);
  t.is(counts.ingress.value, 5);
});

for (const [name, method] of Object.entries({ batchSender, sender })) {
  test(`${name} ends with UNKNOWN and EOF when the sender closes its half`, async (t) => {
    const { client } = await setUp(t);
    const { call, ended } = client.send(method);
    call.end();
    t.deepEqual(await ended, { code: status.UNKNOWN, details: 'EOF' });
  });

  test(`${name} ends with INTERNAL and says what was malformed; no one else notices`, async (t) => {
    const { client, sources, counts, log } = await setUp(t);
    const other = client.send(batchSender);
    other.call.write(encodeBatch(logs('before')));
    await eventually(() => sources.length === 1);

    const { call, ended } = client.send(method);
    call.write(Buffer.from([0x0a, 0x05, 0x12, 0x7f]));
    const { code, details } = await ended;
    t.is(code, status.INTERNAL);
    t.regex(details, /malformed/);
    t.is(counts.malformed.value, 1);
    t.regex(String(log.lines.at(-1)?.fields.peer), /^127\.0\.0\.1:\d+$/);

    other.call.write(encodeBatch(logs('after')));
    await eventually(() => sources.length === 2);
    t.deepEqual(sources, ['before', 'after']);
    t.is(counts.ingress.value, 2);
  });

  test(`${name} reads nothing of a stream after its malformed message`, async (t) => {
    const { client, sources } = await setUp(t);
    const { call, ended } = client.send(method);
    call.write(Buffer.from([0x0a, 0x05, 0x12, 0x7f]));
    for (let n = 0; n < 20; n += 1) call.write(encodeBatch(logs('late')));
    t.is((await ended).code, status.INTERNAL);
    t.is((await client.ask(send, encodeBatch(logs('next')))).code, status.OK);
    t.deepEqual(sources, ['next']);
  });

  test(`${name} ends with RESOURCE_EXHAUSTED at a message over 10 MiB`, async (t) => {
    const { client, sources } = await setUp(t);
    const other = client.send(batchSender);
    const { call, ended } = client.send(method);
    call.write(Buffer.alloc(MAX_MESSAGE_BYTES + 1));
    t.is((await ended).code, status.RESOURCE_EXHAUSTED);
    other.call.write(encodeBatch(logs('after')));
    await eventually(() => sources.length === 1);
    t.deepEqual(sources, ['after']);
  });
}

test('takes in a message of exactly 10 MiB', async (t) => {
  const { client, sources } = await setUp(t);
  const envelope = (size: number) => ({ source_id: 'a', log: { payload: Buffer.alloc(size) } });
  const overhead =
    encodeBatch([envelope(MAX_MESSAGE_BYTES - 100)]).length - MAX_MESSAGE_BYTES + 100;
  const bytes = encodeBatch([envelope(MAX_MESSAGE_BYTES - overhead)]);
  t.is(bytes.length, MAX_MESSAGE_BYTES);
  client.send(batchSender).call.write(bytes);
  await eventually(() => sources.length === 1);
});

test('nothing waits between the doors and the router, so INGRESS_BUFFER_SIZE has nothing to bound', async (t) => {
  const { client, sources, counts } = await setUp(t);
  const { call, ended } = client.send(batchSender);
  const burst = Array.from({ length: 50_000 }, (_, n) => String(n));
  for (let first = 0; first < burst.length; first += 100) {
    call.write(encodeBatch(logs(...burst.slice(first, first + 100))));
  }
  call.end();
  await ended;
  t.deepEqual(sources, burst, 'each is routed before its call hears of its end, in order');
  t.is(counts.droppedIngress.value, 0);
});

test('Send answers INTERNAL to a malformed batch', async (t) => {
  const { client, counts } = await setUp(t);
  const invalidUtf8 = Buffer.from([0x0a, 0x03, 0x12, 0x01, 0xff]);
  const { code, details } = await client.ask(send, invalidUtf8);
  t.is(code, status.INTERNAL);
  t.regex(details, /malformed/);
  t.is(counts.malformed.value, 1);
  t.is(counts.ingress.value, 0);
});

test('takes in an empty batch and an envelope without a message', async (t) => {
  const { client, counts } = await setUp(t);
  t.is((await client.ask(send, Buffer.alloc(0))).code, status.OK);
  t.is((await client.ask(send, encodeBatch([{ source_id: 'a' }]))).code, status.OK);
  t.is(counts.received.value, 1);
  t.is(counts.ingress.value, 0);
  t.is(counts.malformed.value, 0);
});

test('closing ends open streams with UNAVAILABLE, and refuses new ones', async (t) => {
  const { client, ingress, sources } = await setUp(t);
  const open = client.send(batchSender);
  open.call.write(encodeBatch(logs('a')));
  await eventually(() => sources.length === 1);
  ingress.close();
  t.is((await open.ended).code, status.UNAVAILABLE);
  t.is((await client.send(sender).ended).code, status.UNAVAILABLE);
});

function logs(...sources: readonly string[]): ReturnType<typeof numberedLog>[] {
  return sources.map((source, n) => numberedLog(source, n));
}

async function setUp(t: ExecutionContext) {
  const sources: string[] = [];
  const cache = {
    put: (batch: Batch): void => {
      for (let index = 0; index < batch.count; index += 1) sources.push(batch.sourceId(index));
    },
  };
  const counts = dopplerMetrics(new Metrics({ origin: 'doppler' }));
  const log = spyLog();
  const ingress = new Ingress({ router: new Router({ cache }), metrics: counts, log });
  const tls = readTls((await testTls('doppler')).doppler);
  const listener = await listenGrpc({
    address: '127.0.0.1:0',
    tls,
    services: [ingress.service],
    log,
    drainMs: 100,
  });
  const client = await connect(listener.address);
  t.teardown(async () => {
    client[Symbol.dispose]();
    await listener[Symbol.asyncDispose]();
  });
  return { client, counts, log, ingress, sources };
}
