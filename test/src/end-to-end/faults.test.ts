/** Whoever causes trouble is told, it is counted, and nobody else notices. */

import { createSocket } from 'node:dgram';
import { writeFile } from 'node:fs/promises';
import { status } from '@grpc/grpc-js';
import { parseAddress } from '@standpipe/plumbing';
import { eventually, testTls } from '@standpipe/plumbing/testing';
import { ingressService } from '@standpipe/protos';
import test from 'ava';
import { IngressCaller } from '../clients/ingress.ts';
import { readRest, SseReader, WebSocketReader } from '../clients/readers.ts';
import { page, sumOf } from '../start/rates.ts';
import { type TestPipeline, testPipeline } from '../testing.ts';

const SOURCE = 'bystander';

test.serial('bad input is refused with a reason, counted, and disturbs no one else', async (t) => {
  const standpipe = await testPipeline(t);
  const { front, lines, pipeline, server } = standpipe;
  const ws = front.replace('http', 'ws');
  const bystander = new IngressCaller(server('metron az1', 'metron'));
  t.teardown(() => bystander[Symbol.dispose]());
  const nozzle = await WebSocketReader.open(`${ws}/firehose/bystander`, SOURCE);
  t.teardown(() => nozzle[Symbol.dispose]());
  let sent = 0;
  const undisturbed = async (): Promise<void> => {
    await bystander.send(SOURCE, [sent]);
    sent += 1;
    await eventually(async () => (await readRest(front, SOURCE)).missing(sent).length === 0);
  };
  await undisturbed();

  for (const [process, serverName] of [
    ['metron az1', 'metron'],
    ['doppler az1/0', 'doppler'],
  ] as const) {
    using caller = new IngressCaller(server(process, serverName));
    const malformed = await caller.stream(ingressService.batchSender, [Buffer.from('0aff', 'hex')]);
    t.is(malformed.code, status.INTERNAL, process);
    t.regex(malformed.details, /malformed EnvelopeBatch/, process);
    const oversize = await caller.stream(ingressService.batchSender, [
      Buffer.alloc(10 * 2 ** 20 + 1),
    ]);
    t.is(oversize.code, status.RESOURCE_EXHAUSTED, process);
    await undisturbed();
    await counted(standpipe, process, 'malformed');
  }

  const { port } = parseAddress(pipeline.process('statsd-injector').address('udp')) ?? { port: 0 };
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  socket.send('no type|', port, '127.0.0.1');
  await counted(standpipe, 'statsd-injector', 'rejected');
  await undisturbed();

  for (const [query, code, text] of [
    ['limit=abc', 400, 'parsing field \\"limit\\"'],
    ['limit=1001', 500, 'Limit (1001) must be 1000 or less'],
  ] as const) {
    const response = await fetch(`${front}/api/v1/read/${SOURCE}?${query}`);
    t.is(response.status, code);
    t.true((await response.text()).includes(text));
  }

  await writeFile(standpipe.bindingsFile, '{ not: [a, list');
  await eventually(() => lines.some((line) => /syslog-adapter: .*bindings/.test(line)));
  await undisturbed();
});

test.serial('a client with a certificate of another authority is refused', async (t) => {
  const { executor } = await testTls('executor');
  const standpipe = await testPipeline(t);
  const { address } = standpipe.server('doppler az1/0', 'doppler');
  const ca = standpipe.server('doppler az1/0', 'doppler').tls.ca;
  using stranger = new IngressCaller({ address, tls: { ...executor, ca }, serverName: 'doppler' });
  const { code } = await stranger.stream(ingressService.batchSender, [Buffer.alloc(0)]);
  t.is(code, status.UNAVAILABLE);
  await eventually(() =>
    standpipe.lines.some((line) => /doppler az1\/0: .*TLS handshake failed/.test(line)),
  );
});

test.serial('any one process is killed: the others go on, and take it back', async (t) => {
  const standpipe = await testPipeline(t, { apps: [] });
  for (const victim of standpipe.pipeline.processes) {
    const others = standpipe.pipeline.processes.filter((other) => other !== victim);
    const pids = others.map(({ pid }) => pid);
    await victim.kill();
    await victim.start();
    await whole(standpipe, victim.spec.name);
    t.deepEqual(
      others.map(({ pid }) => pid),
      pids,
      victim.spec.name,
    );
  }
});

/** Waits until a new line comes out of the firehose, the gateway and the cache. */
async function whole({ front, gateway, server }: TestPipeline, after: string): Promise<void> {
  using caller = new IngressCaller(server('metron az1', 'metron'));
  using nozzle = await WebSocketReader.open(`${front.replace('http', 'ws')}/firehose/x`, SOURCE);
  using events = await SseReader.open(`${gateway}/v2/read?log&source_id=${SOURCE}`);
  const first = Date.now();
  let number = first;
  const isNew = (n: number): boolean => n >= first;
  await eventually(
    async () => {
      await caller.send(SOURCE, [number]);
      number += 1;
      const cached = await readRest(front, SOURCE);
      return [nozzle.numbers, events.numbers, cached].every((numbers) => numbers.hasAny(isNew));
    },
    { timeoutMs: 20_000, what: `the pipeline after ${after} was killed` },
  );
}

async function counted({ pipeline }: TestPipeline, process: string, metric: string): Promise<void> {
  await eventually(async () => sumOf(await page(pipeline.process(process)), metric) > 0, {
    what: `${metric} of ${process}`,
  });
}
