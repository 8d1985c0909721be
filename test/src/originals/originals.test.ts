/**
 * Each process in the place of its original: started by the original's settings alone, found by
 * what it says on stderr, and spoken to as the original's peers speak.
 */

import { readFile } from 'node:fs/promises';
import { dial, readTls } from '@standpipe/plumbing';
import { eventually } from '@standpipe/plumbing/testing';
import { dopplerIngestorService, dopplerService, events, plumbing } from '@standpipe/protos';
import test, { type ExecutionContext } from 'ava';
import { ask } from '../clients/http.ts';
import { IngressCaller, type ServerOptions } from '../clients/ingress.ts';
import { EgressReader, type NumberReader, WebSocketReader } from '../clients/readers.ts';
import { type Originals, originals, reachable } from './originals.ts';
import { rlp, router, trafficController } from './specs.ts';

const APP = '73467cc3-261a-472e-80e8-d6eadfd30d98';
const COUNT = 300;

test.serial(
  'each process says within ten seconds where it listens, and answers there',
  async (t) => {
    const deployment = await originals(t);
    const doppler = await deployment.start(router(deployment.options));
    const routers = [reachable(doppler, 'grpc')];
    const controller = await deployment.start(trafficController(deployment.options, routers));
    const proxy = await deployment.start(rlp(deployment.options, routers));

    const answer = await ask(`https://${controller.address('ws')}/`, {
      ca: await caOf(deployment),
    });
    t.is(answer.status, 200);
    for (const managed of [doppler, controller, proxy]) {
      const profiles = await ask(`http://${managed.address('pprof')}/debug/pprof/`);
      t.is(profiles.status, 200, managed.spec.name);
    }
  },
);

test.serial('what goes in at the router as v2 comes out of every door, once', async (t) => {
  const deployment = await originals(t);
  const doppler = await deployment.start(router(deployment.options));
  const routers = [reachable(doppler, 'grpc')];
  const controller = await deployment.start(trafficController(deployment.options, routers));
  const proxy = await deployment.start(rlp(deployment.options, routers));
  const front = `wss://${controller.address('ws')}`;
  const ca = await caOf(deployment);
  const reverse = deployment.server(proxy, 'reverselogproxy');
  const readers: NumberReader[] = [
    await WebSocketReader.open(`${front}/firehose/a`, APP, { ca }),
    await WebSocketReader.open(`${front}/apps/${APP}/stream`, APP, { ca }),
    new EgressReader(reverse, 'batchedReceiver', APP),
    new EgressReader(deployment.server(doppler, 'doppler'), 'batchedReceiver', APP),
  ];
  t.teardown(() => {
    for (const reader of readers) reader[Symbol.dispose]();
  });

  const agent = new IngressCaller(deployment.server(doppler, 'doppler'));
  t.teardown(() => agent[Symbol.dispose]());
  await primed(agent, readers);
  const numbers = Array.from({ length: COUNT }, (_, number) => number);
  const status = await agent.batchSender(APP, numbers);
  t.deepEqual([status.code, status.details], [2, 'EOF'], 'how the original says goodbye');
  for (const { numbers: seen } of readers) {
    await eventually(() => seen.missing(COUNT).length === 0);
    t.deepEqual(seen.repeated(), []);
  }
});

test.serial('what goes in as v1 reaches a subscriber of its app as the same bytes', async (t) => {
  const deployment = await originals(t);
  const doppler = await deployment.start(router(deployment.options));
  const server = deployment.server(doppler, 'doppler');
  const payload = Buffer.from(
    events.Envelope.encode({
      origin: 'gorouter',
      eventType: events.Envelope.EventType.LogMessage,
      timestamp: 1_700_000_000,
      logMessage: {
        message: Buffer.from('hello'),
        message_type: events.LogMessage.MessageType.OUT,
        timestamp: 1_700_000_001,
        app_id: APP,
      },
    }).finish(),
  );

  const received = subscribed(t, server, { shardID: 'shard', filter: { appID: APP } });
  const push = pusher(t, server);
  await eventually(() => {
    push(payload);
    return received.length > 0;
  });
  t.deepEqual(received[0], payload);
});

test.serial('closing a client’s websocket ends the subscription at the router', async (t) => {
  const deployment = await originals(t);
  const doppler = await deployment.start(router(deployment.options));
  const controller = await deployment.start(
    trafficController(deployment.options, [reachable(doppler, 'grpc')]),
  );
  const ca = await caOf(deployment);
  const client = await WebSocketReader.open(
    `wss://${controller.address('ws')}/apps/${APP}/stream`,
    APP,
    { ca },
  );
  const open = (): number | null | undefined =>
    deployment.agent.newest('doppler', 'subscriptions')?.gauge?.metrics?.subscriptions?.value;
  await eventually(() => open() === 1);
  client[Symbol.dispose]();
  await eventually(() => open() === 0);
  t.pass();
});

test.serial(
  'self metrics reach the agent by Ingress/Sender, tagged in deprecated_tags',
  async (t) => {
    const deployment = await originals(t);
    const { agent } = deployment;
    const doppler = await deployment.start(router(deployment.options));
    const routers = [reachable(doppler, 'grpc')];
    await deployment.start(trafficController(deployment.options, routers));
    await deployment.start(rlp(deployment.options, routers));

    const wanted = [
      ['doppler', 'loggregator.doppler', ['ingress', 'dropped', 'egress', 'subscriptions']],
      [
        'traffic_controller',
        'loggregator.trafficcontroller',
        ['ingress', 'egress', 'doppler_proxy.firehoses', 'doppler_proxy.app_streams'],
      ],
      [
        'reverse_log_proxy',
        'loggregator.rlp',
        ['ingress', 'egress', 'dropped', 'rejected_streams', 'subscriptions'],
      ],
    ] as const;
    for (const [sourceId, origin, names] of wanted) {
      for (const name of names) {
        const envelope = await eventually(() => agent.newest(sourceId, name));
        t.is(envelope.deprecated_tags?.origin?.text, origin, name);
        t.is(envelope.deprecated_tags?.metric_version?.text, '2.0', name);
        t.is(envelope.instance_id, '', name);
        t.deepEqual(envelope.tags, {}, name);
      }
    }
  },
);

async function caOf({ files }: Originals): Promise<Buffer> {
  return readFile(files('executor').ca);
}

/** A subscription takes effect some time after its call: lines are sent until one has come out. */
async function primed(agent: IngressCaller, readers: readonly NumberReader[]): Promise<void> {
  let number = 1_000_000;
  await eventually(async () => {
    await agent.send(APP, [number]);
    number += 1;
    return readers.every(({ numbers }) => numbers.size > 0);
  });
}

/** The payloads of a v1 subscription at a router. */
function subscribed(
  t: ExecutionContext,
  { address, tls, serverName }: ServerOptions,
  request: plumbing.ISubscriptionRequest,
): Buffer[] {
  const client = dial({ address, tls: readTls(tls), serverName });
  const { path, requestSerialize, responseDeserialize } = dopplerService.batchSubscribe;
  const bytes = Buffer.from(plumbing.SubscriptionRequest.encode(request).finish());
  const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, bytes);
  const payloads: Buffer[] = [];
  call.on('data', (answer: Buffer) => {
    for (const payload of plumbing.BatchResponse.decode(answer).payload) {
      payloads.push(Buffer.from(payload));
    }
  });
  call.on('error', () => {}); // It ends when the test does.
  t.teardown(() => {
    call.cancel();
    client.close();
  });
  return payloads;
}

/** Pushes v1 envelopes over one stream. */
function pusher(
  t: ExecutionContext,
  { address, tls, serverName }: ServerOptions,
): (payload: Buffer) => void {
  const client = dial({ address, tls: readTls(tls), serverName });
  const { path, requestSerialize, responseDeserialize } = dopplerIngestorService.pusher;
  const call = client.makeClientStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    () => {},
  );
  call.on('error', () => {}); // It ends when the test does.
  t.teardown(() => {
    call.cancel();
    client.close();
  });
  return (payload) => {
    call.write(Buffer.from(plumbing.EnvelopeData.encode({ payload }).finish()));
  };
}
