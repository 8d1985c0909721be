/** A Doppler with mutual TLS for tests, its clients, and v1 envelopes for it. */

import { eventually, type SpyLog, spyLog, testTls } from '@standpipe/plumbing/testing';
import {
  dopplerIngestorService,
  dopplerService,
  egressService,
  events,
  ingressService,
  loggregator,
  plumbing,
} from '@standpipe/protos';
import { encodeBatch, encodeEnvelope } from '@standpipe/protos/testing';
import type { ExecutionContext } from 'ava';
import { readConfig } from './config.ts';
import { type Doppler, startDoppler } from './doppler.ts';
import { connect, type Subscriber, type TestClient } from './testing.ts';

const { LogMessage, Envelope: V1Envelope } = events;

export interface Started {
  readonly client: TestClient;
  readonly doppler: Doppler;
  readonly log: SpyLog;
  /** What it was started with. */
  readonly vars: Readonly<Record<string, string>>;
  readonly pusher: Sender;
  readonly sender: Sender;
  push(payload: Buffer): void;
  sendBatch(inits: readonly loggregator.v2.IEnvelope[]): void;
  sendV2(init: loggregator.v2.IEnvelope): void;
  /** Waits until the subscription that is made is there. */
  opened(open: () => Subscriber): Promise<Subscriber>;
  subscribe(request: loggregator.v2.IEgressBatchRequest): Promise<Subscriber>;
  subscribeV1(
    request: plumbing.ISubscriptionRequest,
    method?: keyof typeof dopplerService,
  ): Promise<Subscriber>;
}

type Sender = ReturnType<TestClient['send']>;

export async function startedDoppler(
  t: ExecutionContext,
  more: Readonly<Record<string, string>> = {},
): Promise<Started> {
  const files = (await testTls({ name: 'doppler', dns: ['log-cache'] })).doppler;
  const vars = {
    ROUTER_HOST: '127.0.0.1',
    ROUTER_CA_FILE: files.ca,
    ROUTER_CERT_FILE: files.cert,
    ROUTER_KEY_FILE: files.key,
    LOG_CACHE_HTTP_ADDR: '127.0.0.1:0',
    MEMORY_LIMIT_BYTES: String(16 * 1024 * 1024),
    ...more,
  };
  const log = spyLog();
  const doppler = await startDoppler(readConfig(vars), log);
  const client = await connect(`127.0.0.1:${doppler.grpcPort}`);
  t.teardown(async () => {
    client[Symbol.dispose]();
    await doppler[Symbol.asyncDispose]();
  });

  const pusher = client.send(dopplerIngestorService.pusher);
  const sender = client.send(ingressService.batchSender);
  const single = client.send(ingressService.sender);
  const opened = async (open: () => Subscriber): Promise<Subscriber> => {
    const before = doppler.counts.subscriptions.value;
    const subscriber = open();
    await eventually(() => doppler.counts.subscriptions.value === before + 1);
    return subscriber;
  };
  return {
    client,
    doppler,
    log,
    vars,
    opened,
    pusher,
    sender,
    push: (payload: Buffer) =>
      pusher.call.write(Buffer.from(plumbing.EnvelopeData.encode({ payload }).finish())),
    sendBatch: (inits: readonly loggregator.v2.IEnvelope[]) =>
      sender.call.write(encodeBatch(inits)),
    sendV2: (init: loggregator.v2.IEnvelope) => single.call.write(encodeEnvelope(init)),
    subscribe: (request: loggregator.v2.IEgressBatchRequest) => {
      const bytes = loggregator.v2.EgressBatchRequest.encode(request).finish();
      return opened(() => client.subscribe(egressService.batchedReceiver, Buffer.from(bytes)));
    },
    subscribeV1: (
      request: plumbing.ISubscriptionRequest,
      method: keyof typeof dopplerService = 'batchSubscribe',
    ) => {
      const bytes = plumbing.SubscriptionRequest.encode(request).finish();
      return opened(() => client.subscribe(dopplerService[method], Buffer.from(bytes)));
    },
  };
}

/** The payloads of what a v1 subscriber got. */
export function responses({ messages }: Subscriber): Buffer[] {
  return messages
    .flatMap((message) => plumbing.BatchResponse.decode(message).payload)
    .map((payload) => Buffer.from(payload));
}

/** What a v2 subscriber got, decoded. */
export function envelopes({ messages }: Subscriber): loggregator.v2.Envelope.$Shape[] {
  const all: loggregator.v2.Envelope.$Shape[] = [];
  for (const message of messages) {
    all.push(...(loggregator.v2.EnvelopeBatch.decode(message).batch ?? []));
  }
  return all;
}

export function v1Log(appId: string, text: string, origin = 'rep'): Buffer {
  return v1({
    origin,
    eventType: V1Envelope.EventType.LogMessage,
    logMessage: {
      message: Buffer.from(text),
      message_type: LogMessage.MessageType.OUT,
      timestamp: 1,
      app_id: appId,
    },
  });
}

export function v1Counter(name: string, tags: Record<string, string> = {}): Buffer {
  const eventType = V1Envelope.EventType.CounterEvent;
  return v1({ origin: 'rep', eventType, counterEvent: { name, delta: 1 }, tags });
}

export function v1Container(applicationId: string): Buffer {
  return v1({
    origin: 'rep',
    eventType: V1Envelope.EventType.ContainerMetric,
    containerMetric: {
      applicationId,
      instanceIndex: 0,
      cpuPercentage: 1,
      memoryBytes: 2,
      diskBytes: 3,
    },
  });
}

export function v1(init: events.IEnvelope): Buffer {
  return Buffer.from(V1Envelope.encode(init).finish());
}
