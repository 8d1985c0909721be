import type { handleClientStreamingCall } from '@grpc/grpc-js';
import { listenGrpc, readTls } from '@standpipe/plumbing';
import { eventually, spyLog, testTls } from '@standpipe/plumbing/testing';
import { ingressService, loggregator } from '@standpipe/protos';
import test, { type ExecutionContext } from 'ava';
import { readConfig } from './config.ts';
import { started } from './testing-proxy.ts';

const VERSIONED = [
  'ingress origin=loggregator.rlp metric_version=2.0 protocol=grpc',
  'egress origin=loggregator.rlp metric_version=2.0',
  'dropped origin=loggregator.rlp metric_version=2.0 direction=egress',
  'rejected_streams origin=loggregator.rlp metric_version=2.0',
];

const UNVERSIONED = [
  'log_router_connects origin=loggregator.rlp',
  'log_router_disconnects origin=loggregator.rlp',
];

test("its metrics reach the agent under the original's names, units and tags", async (t) => {
  const agent = await startAgent(t);
  const { open } = await started(t, { agentAddress: agent.address });
  const reader = await open({ selectors: [{ log: {} }] });
  const subscriptions = () =>
    agent.envelopes.findLast(({ gauge }) => gauge)?.gauge?.metrics?.subscriptions;
  await eventually(() => subscriptions()?.value === 1);
  t.is(subscriptions()?.unit, 'total');
  for (const wanted of [...VERSIONED, ...UNVERSIONED]) {
    await eventually(() => agent.counters().includes(wanted), { what: wanted });
  }
  t.true(agent.envelopes.every(({ source_id }) => source_id === 'reverse_log_proxy'));
  reader.call.cancel();
  await eventually(() => subscriptions()?.value === 0);
});

test('the agent is the one of its own machine, unless it is told another', (t) => {
  const files = { RLP_CA_FILE: 'ca', RLP_CERT_FILE: 'cert', RLP_KEY_FILE: 'key' };
  const vars = { ...files, ROUTER_ADDRS: 'a:1' };
  const config = readConfig(vars);
  t.is(config.agentAddress, 'localhost:3458');
  t.is(config.metricSourceId, 'reverse_log_proxy');
  t.is(config.metricIntervalMs, 60_000);
  t.is(readConfig({ ...vars, AGENT_ADDR: '10.0.0.1:1' }).agentAddress, '10.0.0.1:1');
});

/** An agent that keeps what it is sent. */
async function startAgent(t: ExecutionContext) {
  const { metron } = await testTls('metron');
  const envelopes: loggregator.v2.Envelope[] = [];
  const sender: handleClientStreamingCall<Buffer, Buffer> = (call, answer) => {
    call.on('data', (bytes: Buffer) => envelopes.push(loggregator.v2.Envelope.decode(bytes)));
    call.on('end', () => answer(null, Buffer.alloc(0)));
    call.on('error', () => undefined); // It was cut off at the end of a test.
  };
  const listener = await listenGrpc({
    address: '127.0.0.1:0',
    tls: readTls(metron),
    services: [{ definition: { sender: ingressService.sender }, implementation: { sender } }],
    log: spyLog(),
  });
  t.teardown(() => listener[Symbol.asyncDispose]());
  return {
    address: listener.address,
    envelopes,
    counters: () =>
      envelopes.map(({ counter, deprecated_tags: tags }) =>
        [counter?.name, ...Object.entries(tags).map(([name, { text }]) => `${name}=${text}`)].join(
          ' ',
        ),
      ),
  };
}
