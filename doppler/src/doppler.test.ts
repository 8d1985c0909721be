import { status } from '@grpc/grpc-js';
import { dial, ListenError } from '@standpipe/plumbing';
import { eventually, spyLog } from '@standpipe/plumbing/testing';
import {
  events,
  ingressService,
  logCacheEgressService,
  logcache,
  orchestrationService,
  plumbing,
  standpipe,
  tailsService,
} from '@standpipe/protos';
import { encodeBatch, numberedLog, numberOf } from '@standpipe/protos/testing';
import test from 'ava';
import { readConfig } from './config.ts';
import { startDoppler } from './doppler.ts';
import {
  envelopes,
  responses,
  startedDoppler,
  v1Container,
  v1Counter,
  v1Log,
} from './testing-doppler.ts';

const { Envelope: V1Envelope } = events;

test('v1 in, v1 out: a subscription with a shard and no filter gets what Pusher brings', async (t) => {
  const { push, subscribeV1 } = await startedDoppler(t);
  const subscriber = await subscribeV1({ shardID: 's' });
  const payload = v1Log('a', 'hello');
  push(payload);
  await eventually(() => subscriber.messages.length === 1);
  t.deepEqual(responses(subscriber), [payload]);
});

test('v1: different shards both get a message, and members of one shard share them', async (t) => {
  const { push, subscribeV1 } = await startedDoppler(t);
  const other = await subscribeV1({ shardID: 'other' });
  const members = [await subscribeV1({ shardID: 's' }), await subscribeV1({ shardID: 's' })];
  for (let n = 0; n < 300; n += 1) push(v1Log('a', `${n}`));
  await eventually(() => responses(other).length === 300);
  await eventually(() => members.flatMap(responses).length === 300);
  t.is(new Set(members.flatMap(responses).map(String)).size, 300);
  for (const member of members) t.true(Math.abs(responses(member).length - 150) < 70);
});

for (const [title, filter] of [
  ['without a filter', undefined],
  ['with a log filter', { log: {} }],
] as const) {
  test(`v2 in, v1 out: a log without a source comes once ${title}`, async (t) => {
    const { sendV2, subscribeV1 } = await startedDoppler(t);
    const subscriber = await subscribeV1(filter ? { filter } : {});
    sendV2(numberedLog('', 1));
    sendV2(numberedLog('', 2));
    await eventually(() => responses(subscriber).length === 2);
    const messages = responses(subscriber).map((bytes) => V1Envelope.decode(bytes).logMessage);
    t.deepEqual(
      messages.map((message) => Buffer.from(message?.message ?? []).toString()),
      ['line 1', 'line 2'],
    );
  });
}

test('v1: a subscription to an app gets the very bytes of its envelopes, and no others', async (t) => {
  const { push, subscribeV1 } = await startedDoppler(t);
  const subscriber = await subscribeV1({ shardID: 's', filter: { appID: 'a' } });
  const [wanted, other] = [v1Log('a', 'x'), v1Log('b', 'y')];
  push(other);
  push(wanted);
  push(v1Counter('hits', { source_id: 'a' }));
  push(wanted);
  await eventually(() => responses(subscriber).length === 2);
  t.deepEqual(responses(subscriber), [wanted, wanted]);
});

const V1_FILTERS: [string, plumbing.IFilter, number[]][] = [
  ['an empty filter', {}, [0, 1, 2, 3]],
  ['logs', { log: {} }, [0, 1]],
  ['metrics', { metric: {} }, [2, 3]],
  ['an app', { appID: 'a' }, [0, 3]],
  ["an app's logs", { appID: 'a', log: {} }, [0]],
  ["an app's metrics", { appID: 'a', metric: {} }, [3]],
  ['the app id system, which v1 metrics are routed to', { appID: 'system' }, [2]],
];

for (const [title, filter, expected] of V1_FILTERS) {
  test(`v1 filters: ${title}`, async (t) => {
    const { push, subscribeV1 } = await startedDoppler(t);
    const payloads = [v1Log('a', 'x'), v1Log('b', 'y'), v1Counter('hits'), v1Container('a')];
    const subscriber = await subscribeV1({ filter });
    const everything = await subscribeV1({});
    for (const payload of payloads) push(payload);
    await eventually(() => responses(everything).length === payloads.length);
    await eventually(() => responses(subscriber).length === expected.length);
    t.deepEqual(
      responses(subscriber),
      expected.map((at) => payloads[at]),
    );
  });
}

test('Subscribe gives one envelope to a message', async (t) => {
  const { sendBatch, subscribeV1 } = await startedDoppler(t);
  const subscriber = await subscribeV1({}, 'subscribe');
  sendBatch(Array.from({ length: 50 }, (_, n) => numberedLog('a', n)));
  await eventually(() => subscriber.messages.length === 50);
  const numbers = subscriber.messages.map((message) => {
    const { payload } = plumbing.Response.decode(message);
    return numberOf(V1Envelope.decode(payload).logMessage?.message);
  });
  t.deepEqual(
    numbers,
    Array.from({ length: 50 }, (_, n) => n),
  );
});

test('an envelope without a message, and an event, make no v1 envelope', async (t) => {
  const { sendBatch, subscribeV1 } = await startedDoppler(t);
  const subscriber = await subscribeV1({});
  sendBatch([{ source_id: 'a' }, { event: { title: 'up' } }, numberedLog('a', 7)]);
  await eventually(() => responses(subscriber).length > 0);
  t.is(responses(subscriber).length, 1);
});

test('Pusher passes over what is malformed, counts it, and goes on', async (t) => {
  const { push, pusher, subscribeV1, doppler, log } = await startedDoppler(t);
  const subscriber = await subscribeV1({});
  pusher.call.write(Buffer.from('garbage'));
  pusher.call.write(Buffer.alloc(0));
  push(Buffer.from([0xff, 0xff]));
  push(v1Log('a', 'after'));
  await eventually(() => responses(subscriber).length === 1);
  t.is(doppler.counts.malformed.value, 3);
  t.is(doppler.counts.ingress.value, 1);
  t.true(log.lines.some(({ text }) => text === 'passed over a malformed v1 envelope'));
});

test('Pusher ends well when the sender closes its half', async (t) => {
  const { pusher } = await startedDoppler(t);
  pusher.call.end();
  t.deepEqual(await pusher.ended, { code: status.OK, details: 'OK' });
});

test('v1 in, v2 out: a log selector gets the envelope with its app as source', async (t) => {
  const { push, subscribe } = await startedDoppler(t);
  const subscriber = await subscribe({ selectors: [{ log: {} }] });
  push(v1Counter('hits'));
  push(v1Log('a', 'hello'));
  await eventually(() => envelopes(subscriber).length === 1);
  const [envelope] = envelopes(subscriber);
  t.is(envelope?.source_id, 'a');
  t.is(Buffer.from(envelope?.log?.payload ?? []).toString(), 'hello');
  t.is(envelope?.tags?.__v1_type, 'LogMessage');
});

test('v1 text that is not UTF-8 harms no v2 subscriber', async (t) => {
  const { push, subscribe } = await startedDoppler(t);
  const subscriber = await subscribe({ selectors: [{ log: {} }] });
  const good = v1Log('a', 'hello', 'ORIGIN');
  const bad = Buffer.from(good);
  bad[bad.indexOf('ORIGIN')] = 0xff;
  push(bad);
  push(good);
  await eventually(() => envelopes(subscriber).length === 2);
  t.regex(String(envelopes(subscriber)[0]?.tags?.origin), /RIGIN$/);
});

test('v2 in, v2 out: a log selector gets the logs of a mixed stream, and only those', async (t) => {
  const { sendBatch, sendV2, subscribe, doppler } = await startedDoppler(t);
  const subscriber = await subscribe({ selectors: [{ log: {} }] });
  sendBatch([numberedLog('a', 1), { counter: { name: 'x' } }, numberedLog('b', 2)]);
  await eventually(() => envelopes(subscriber).length === 2);
  sendV2(numberedLog('c', 3));
  await eventually(() => envelopes(subscriber).length === 3);
  t.deepEqual(
    envelopes(subscriber).map(({ log }) => numberOf(log?.payload)),
    [1, 2, 3],
  );
  t.is(doppler.counts.ingress.value, 4);
  await eventually(() => doppler.counts.egress.value === 3);
});

test('keeps what came in by either door, and gives it over gRPC and REST', async (t) => {
  const { push, sendBatch, client, doppler } = await startedDoppler(t);
  const now = BigInt(Date.now()) * 1_000_000n;
  sendBatch([numberedLog('app', 1, now), numberedLog('app', 2, now + 1n)]);
  push(v1Log('v1-app', 'hello'));
  const read = async (id: string): Promise<unknown[]> => {
    const url = `http://127.0.0.1:${doppler.httpPort}/api/v1/read/${id}`;
    const answer = (await (await fetch(url)).json()) as { envelopes: { batch: unknown[] } };
    return answer.envelopes.batch;
  };
  await eventually(async () => (await read('app')).length === 2);
  await eventually(async () => (await read('v1-app')).length === 1);
  const request = logcache.v1.MetaRequest.encode({}).finish();
  t.is((await client.ask(logCacheEgressService.meta, Buffer.from(request))).code, status.OK);
  const refused = await client.ask(orchestrationService.addRange, Buffer.alloc(0));
  t.is(refused.code, status.UNIMPLEMENTED);
});

test('pushes what comes in to whoever tails it, over gRPC and REST, until it drains', async (t) => {
  const { sendBatch, client, doppler } = await startedDoppler(t);
  const request = standpipe.v1.TailRequest.encode({ read: { source_id: 'app' } }).finish();
  const call = client.subscribe(tailsService.tail, Buffer.from(request));
  const answer = await fetch(`http://127.0.0.1:${doppler.httpPort}/api/v1/tail/app`);
  let text = '';
  const read = (async () => {
    for await (const part of answer.body ?? []) text += Buffer.from(part);
  })();
  await eventually(() => text.startsWith('id: ') && call.messages.length === 1);
  sendBatch([numberedLog('app', 1), numberedLog('other', 2)]);
  await eventually(() => text.includes('data: {"envelopes":') && call.messages.length === 2);
  const response = standpipe.v1.TailResponse.decode(call.messages[1] ?? Buffer.alloc(0));
  t.is(response.envelopes?.batch?.length, 1);

  await doppler[Symbol.asyncDispose]();
  await t.notThrowsAsync(read, 'it ended, and was not cut off');
  t.is((await call.ended).code, status.OK);
});

test('tells its metrics by the names of the original', async (t) => {
  const { sendBatch, subscribe, doppler } = await startedDoppler(t);
  await subscribe({ selectors: [{ log: {} }] });
  sendBatch([numberedLog('a', 1), numberedLog('a', 2)]);
  await eventually(() => doppler.counts.egress.value === 2);
  const answer = await fetch(`http://127.0.0.1:${doppler.metricsPort}/metrics`);
  const text = await answer.text();
  for (const line of [
    /^ingress(\{\})? 2$/m,
    /^egress(\{\})? 2$/m,
    /^dropped\{direction="egress"\} 0$/m,
    /^dropped\{direction="ingress"\} 0$/m,
    /^subscriptions(\{\})? 1$/m,
    /^malformed(\{\})? 0$/m,
  ]) {
    t.regex(text, line);
  }
});

test('draining gives subscribers what waits and tells senders that it stops', async (t) => {
  const { sendBatch, sender, subscribe, subscribeV1, doppler } = await startedDoppler(t);
  const subscriber = await subscribe({ selectors: [{ log: {} }] });
  const v1 = await subscribeV1({});
  sendBatch(Array.from({ length: 3000 }, (_, n) => numberedLog('a', n)));
  await eventually(() => doppler.counts.ingress.value === 3000);
  await doppler[Symbol.asyncDispose]();
  t.is((await sender.ended).code, status.UNAVAILABLE);
  t.is((await subscriber.ended).code, status.OK);
  t.is((await v1.ended).code, status.OK);
  t.is(envelopes(subscriber).length, 3000);
  t.is(responses(v1).length, 3000);
});

test('says which address it cannot listen on, and opens nothing then', async (t) => {
  const { doppler, vars } = await startedDoppler(t);
  const config = readConfig({ ...vars, ROUTER_PORT: String(doppler.grpcPort) });
  const error = await t.throwsAsync(startDoppler(config, spyLog()), { instanceOf: ListenError });
  t.regex(String(error?.message), new RegExp(`127\\.0\\.0\\.1:${doppler.grpcPort}`));
});

test('a client without a certificate of its authority is not served', async (t) => {
  const { doppler } = await startedDoppler(t);
  const client = dial({
    address: `127.0.0.1:${doppler.grpcPort}`,
    tls: undefined,
    serverName: 'doppler',
  });
  t.teardown(() => client.close());
  const { path, requestSerialize, responseDeserialize } = ingressService.send;
  const ended = await new Promise<number>((resolve) => {
    const options = { deadline: Date.now() + 5000 };
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      encodeBatch([numberedLog('a', 1)]),
      options,
      (error) => resolve(error?.code ?? status.OK),
    );
  });
  t.is(ended, status.UNAVAILABLE);
  t.is(doppler.counts.ingress.value, 0);
});
