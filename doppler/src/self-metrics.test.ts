import type { ServerReadableStream, sendUnaryData } from '@grpc/grpc-js';
import { listenGrpc, readTls } from '@standpipe/plumbing';
import { eventually, spyLog, testTls } from '@standpipe/plumbing/testing';
import { egressService, ingressService, loggregator } from '@standpipe/protos';
import { encodeEnvelope, numberedLog } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { readConfig } from './config.ts';
import { startDoppler } from './doppler.ts';
import { SLOW_CONSUMER_ALARM } from './metrics.ts';
import { connect } from './testing.ts';

const BASE = { origin: 'loggregator.doppler', metric_version: '2.0' };

test("a Doppler's metrics reach the agent under the original's names, units and tags", async (t) => {
  const { agent, doppler } = await setUp(t);
  await eventually(() => doppler.read('subscriptions') !== undefined);
  const [first] = agent.envelopes;
  t.is(first?.source_id, 'doppler');
  t.is(first?.instance_id, '');
  t.deepEqual(doppler.tagsOf('ingress'), [BASE]);
  t.deepEqual(doppler.tagsOf('egress'), [BASE]);
  t.deepEqual(doppler.tagsOf('dropped'), [
    { ...BASE, direction: 'egress' },
    { ...BASE, direction: 'ingress' },
  ]);
  t.is(doppler.read('subscriptions')?.unit, 'subscriptions');
  t.is(
    agent.envelopes.find(({ counter }) => counter?.name === SLOW_CONSUMER_ALARM),
    undefined,
    'old nozzles take it for an alarm, whatever it counts',
  );
});

test('subscriptions rises and falls; ingress and egress count envelopes', async (t) => {
  const { agent, doppler, address } = await setUp(t);
  using client = await connect(address);
  const request = loggregator.v2.EgressBatchRequest.encode({ selectors: [{ log: {} }] }).finish();
  const subscriber = client.subscribe(egressService.batchedReceiver, Buffer.from(request));
  await eventually(() => doppler.read('subscriptions')?.value === 1);
  const sender = client.send(ingressService.sender);
  for (let n = 0; n < 3; n += 1) sender.call.write(encodeEnvelope(numberedLog('a', n)));
  await eventually(() => agent.gained('egress') === 3);
  t.is(agent.gained('ingress'), 3);
  subscriber.call.cancel();
  await eventually(() => doppler.read('subscriptions')?.value === 0);
});

test('ingress counts what envelopes become in v1: an event nothing, a gauge each metric, a container’s one', async (t) => {
  const { agent, address } = await setUp(t);
  using client = await connect(address);
  const sender = client.send(ingressService.sender);
  const bytes = { unit: 'bytes', value: 1 };
  const container = { cpu: bytes, memory: bytes, disk: bytes, memory_quota: bytes };
  for (const envelope of [
    { event: { title: 'a' } },
    {},
    { gauge: { metrics: { a: bytes, b: bytes, c: bytes } } },
    { gauge: { metrics: { ...container, disk_quota: bytes } } },
    { log: { payload: Buffer.from('last') } },
  ]) {
    sender.call.write(encodeEnvelope(envelope));
  }
  await eventually(() => agent.gained('ingress') >= 5);
  t.is(agent.gained('ingress'), 3 + 1 + 1);
});

async function setUp(t: ExecutionContext) {
  const files = await testTls({ name: 'doppler', dns: ['log-cache'] }, 'metron');
  const agent = await startAgent(readTls(files.metron));
  const config = readConfig({
    ROUTER_HOST: '127.0.0.1',
    ROUTER_CA_FILE: files.doppler.ca,
    ROUTER_CERT_FILE: files.doppler.cert,
    ROUTER_KEY_FILE: files.doppler.key,
    AGENT_GRPC_ADDRESS: agent.address,
    ROUTER_METRIC_BATCH_INTERVAL_MILLISECONDS: '100',
  });
  const doppler = await startDoppler(config, spyLog());
  t.teardown(async () => {
    await doppler[Symbol.asyncDispose]();
    await agent.stop();
  });
  return {
    agent,
    address: `127.0.0.1:${doppler.grpcPort}`,
    doppler: {
      /** The latest gauge of this name. */
      read: (name: string) =>
        agent.envelopes.findLast(({ gauge }) => gauge?.metrics?.[name])?.gauge?.metrics?.[name],
      /** The tags of all counters of this name. */
      tagsOf: (name: string) => {
        const all = agent.envelopes.filter(({ counter }) => counter?.name === name).map(tags);
        const distinct = new Set(all.map((one) => JSON.stringify(one)));
        return [...distinct].map((one) => JSON.parse(one) as unknown);
      },
    },
  };
}

function tags({ deprecated_tags }: loggregator.v2.Envelope): Record<string, string> {
  return Object.fromEntries(
    Object.entries(deprecated_tags).map(([name, { text }]) => [name, text ?? '']),
  );
}

async function startAgent(tls: ReturnType<typeof readTls>) {
  const envelopes: loggregator.v2.Envelope[] = [];
  const sender = (
    call: ServerReadableStream<Buffer, Buffer>,
    answer: sendUnaryData<Buffer>,
  ): void => {
    call.on('data', (bytes: Buffer) => envelopes.push(loggregator.v2.Envelope.decode(bytes)));
    call.on('end', () => answer(null, Buffer.alloc(0)));
    call.on('error', () => undefined); // It was cut off at the end of a test.
  };
  const definition = { sender: ingressService.sender };
  const listener = await listenGrpc({
    address: '127.0.0.1:0',
    tls,
    services: [{ definition, implementation: { sender } }],
    log: spyLog(),
  });
  return {
    address: listener.address,
    envelopes,
    gained: (name: string) =>
      envelopes
        .filter(({ counter }) => counter?.name === name)
        .reduce((sum, { counter }) => sum + Number(counter?.delta ?? 0), 0),
    stop: () => listener[Symbol.asyncDispose](),
  };
}
