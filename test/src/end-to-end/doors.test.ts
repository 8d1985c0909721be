/**
 * Numbered lines go in at every door, and each number comes out exactly once at every exit.
 *
 * Two zones, the first with two Dopplers, so that owners, forwarding and merging all take part.
 */

import { createSocket, type Socket } from 'node:dgram';
import { parseAddress } from '@standpipe/plumbing';
import { eventually } from '@standpipe/plumbing/testing';
import { events } from '@standpipe/protos';
import test, { type ExecutionContext } from 'ava';
import { IngressCaller } from '../clients/ingress.ts';
import {
  EgressReader,
  type NumberReader,
  readGrpc,
  readRest,
  SseReader,
  WebSocketReader,
} from '../clients/readers.ts';
import { SyslogReceiver } from '../clients/syslog.ts';
import { Numbers } from '../numbers.ts';
import { type TestPipeline, testPipeline } from '../testing.ts';

const COUNT = 900;
const SOURCE = '73467cc3-261a-472e-80e8-d6eadfd30d98';
const ZONES = { az1: 2, az2: 1 };
const DOPPLERS = ['doppler az1/0', 'doppler az1/1', 'doppler az2/0'];

test.serial('each line that goes in by gRPC comes out exactly once at every exit', async (t) => {
  await using receiver = await SyslogReceiver.listen();
  const standpipe = await testPipeline(t, {
    zones: ZONES,
    bindings: [
      { url: receiver.url, credentials: [{ apps: [{ hostname: 'a.b.c', app_id: SOURCE }] }] },
    ],
  });
  const readers = new Map<string, Pick<NumberReader, 'numbers'>>([
    ...(await openReaders(t, standpipe)),
    ['the syslog drain', receiver],
  ]);
  await primed(standpipe, readers);

  const az1 = new IngressCaller(standpipe.server('metron az1', 'metron'));
  const az2 = new IngressCaller(standpipe.server('metron az2', 'metron'));
  t.teardown(() => az1[Symbol.dispose]());
  t.teardown(() => az2[Symbol.dispose]());
  const third = COUNT / 3;
  await Promise.all([
    az1.batchSender(SOURCE, range(0, third)),
    az1.sender(SOURCE, range(third, 2 * third)),
    sendAll(az2, range(2 * third, COUNT)),
  ]);

  for (const [exit, { numbers }] of readers) await complete(t, exit, () => numbers);
  await complete(t, 'the front door’s REST', () => readRest(standpipe.front, SOURCE));
  for (const name of DOPPLERS) {
    const address = standpipe.pipeline.process(name).address('http');
    await complete(t, `REST of ${name}`, () => readRest(`http://${address}`, SOURCE));
    await complete(t, `gRPC of ${name}`, () =>
      readGrpc(standpipe.server(name, 'log-cache'), SOURCE),
    );
  }
});

test.serial('each statsd line becomes one gauge in the cache', async (t) => {
  const { pipeline, front } = await testPipeline(t);
  const { port } = parseAddress(pipeline.process('statsd-injector').address('udp')) ?? { port: 0 };
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  for (const n of range(0, 200)) await sent(socket, `numbers.n:${n}|g|#part:${n % 2}`, port);

  const values = await eventually(async () => {
    const { envelopes } = (await json(`${front}/api/v1/read/numbers?limit=1000`)) as Page;
    return envelopes.batch.length >= 200 && envelopes.batch.map(({ gauge }) => gauge?.metrics.n);
  });
  t.deepEqual(
    values,
    range(0, 200).map((value) => ({ unit: 'gauge', value })),
  );
});

test.serial('each dropsonde datagram becomes one envelope', async (t) => {
  const { pipeline, front } = await testPipeline(t);
  const { port } = parseAddress(pipeline.process('metron az1').address('udp')) ?? { port: 0 };
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  for (const n of range(0, 100)) await sent(socket, dropsonde('v1-app', n), port);
  await complete(t, 'the front door’s REST', () => readRest(front, 'v1-app'), 100);
});

test.serial('each line that an app prints is a log of its source, in order', async (t) => {
  const guid = '5b4ce2a1-8f0d-4d5e-b5a8-6f3b1c1d2e3f';
  const command = 'i=0; while [ $i -lt 500 ]; do echo "line $i"; i=$((i+1)); done; sleep 60';
  const { front } = await testPipeline(t, { apps: [{ name: 'counter', guid, command }] });
  await complete(t, 'the front door’s REST', () => readRest(front, guid), 500);

  const { envelopes } = (await json(`${front}/api/v1/read/${guid}?limit=1000`)) as Page;
  const printed = envelopes.batch
    .map(({ log }) => Buffer.from(log?.payload ?? '', 'base64').toString())
    .filter((line) => line.startsWith('line '));
  t.deepEqual(
    printed,
    range(0, 500).map((n) => `line ${n}`),
  );
  const [first] = envelopes.batch.filter(({ log }) => log);
  t.like(first?.tags, { app_name: 'counter', process_type: 'web' });
});

interface Page {
  readonly envelopes: {
    readonly batch: readonly {
      readonly tags: Readonly<Record<string, string>>;
      readonly log?: { readonly payload: string };
      readonly gauge?: { readonly metrics: Readonly<Record<string, object>> };
    }[];
  };
}

async function openReaders(
  t: ExecutionContext,
  { front, gateway, server, pipeline }: TestPipeline,
): Promise<ReadonlyMap<string, NumberReader>> {
  const ws = front.replace('http', 'ws');
  const rlp = server('reverse-log-proxy', 'reverselogproxy');
  const doppler = pipeline.process('doppler az2/0').address('http');
  const readers = new Map<string, NumberReader>([
    ['the firehose', await WebSocketReader.open(`${ws}/firehose/doors`, SOURCE)],
    [
      'the firehose’s logs',
      await WebSocketReader.open(`${ws}/firehose/l?filter-type=logs`, SOURCE),
    ],
    ['the app stream', await WebSocketReader.open(`${ws}/apps/${SOURCE}/stream`, SOURCE)],
    ['BatchedReceiver', new EgressReader(rlp, 'batchedReceiver', SOURCE)],
    ['Receiver', new EgressReader(rlp, 'receiver', SOURCE)],
    ['the gateway', await SseReader.open(`${gateway}/v2/read?log&source_id=${SOURCE}`)],
    ['the front door’s /v2/read', await SseReader.open(`${front}/v2/read?log&source_id=${SOURCE}`)],
    ['the front door’s tail', await SseReader.open(`${front}/api/v1/tail/${SOURCE}`)],
    ['a Doppler’s tail', await SseReader.open(`http://${doppler}/api/v1/tail/${SOURCE}`)],
  ]);
  t.teardown(() => {
    for (const reader of readers.values()) reader[Symbol.dispose]();
  });
  t.is(pipeline.processes.filter(({ isRunning }) => !isRunning).length, 0);
  return readers;
}

/**
 * A subscription takes effect some time after the call that makes it, and there is no telling when:
 * lines with numbers of their own are sent until one has come out at every exit.
 */
async function primed(
  standpipe: TestPipeline,
  readers: ReadonlyMap<string, Pick<NumberReader, 'numbers'>>,
): Promise<void> {
  const zones = Object.keys(ZONES).map(
    (zone) => new IngressCaller(standpipe.server(`metron ${zone}`, 'metron')),
  );
  const heard = (): boolean =>
    [...readers.values()].every(({ numbers }) =>
      zones.every((_, zone) => numbers.hasAny((n) => n >= PRIMING && n % 2 === zone)),
    );
  let n = PRIMING;
  await eventually(async () => {
    for (const [zone, caller] of zones.entries()) await caller.send(SOURCE, [n + zone]);
    n += 2;
    return heard();
  });
  for (const caller of zones) caller[Symbol.dispose]();
}

/** Where the numbers of the lines that only prime the readers begin. */
const PRIMING = 1_000_000;

async function sendAll(caller: IngressCaller, numbers: readonly number[]): Promise<void> {
  for (let at = 0; at < numbers.length; at += 50)
    await caller.send(SOURCE, numbers.slice(at, at + 50));
}

/** Waits until every number has come out, and fails if one has come out twice. */
async function complete(
  t: ExecutionContext,
  exit: string,
  read: () => Numbers | Promise<Numbers>,
  count = COUNT,
): Promise<void> {
  let numbers = new Numbers();
  const isComplete = async (): Promise<boolean> => {
    numbers = await read();
    return numbers.missing(count).length === 0;
  };
  await eventually(isComplete, { timeoutMs: 15_000, what: `all lines at ${exit}` }).catch(() => {});
  t.deepEqual(numbers.missing(count).slice(0, 10), [], `missing at ${exit}`);
  t.deepEqual(numbers.repeated().slice(0, 10), [], `repeated at ${exit}`);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

async function json(url: string): Promise<unknown> {
  return (await fetch(url)).json();
}

/** A numbered log as v1 components send it. */
function dropsonde(appId: string, n: number): Uint8Array {
  return events.Envelope.encode({
    origin: 'test',
    eventType: events.Envelope.EventType.LogMessage,
    timestamp: n + 1,
    logMessage: {
      message: Buffer.from(`line ${n}`),
      message_type: events.LogMessage.MessageType.OUT,
      timestamp: n + 1,
      app_id: appId,
    },
  }).finish();
}

/** Sends one datagram and waits until the kernel has it. */
function sent(socket: Socket, text: string | Uint8Array, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(text, port, '127.0.0.1', (error) => (error ? reject(error) : resolve()));
  });
}
