/**
 * What an envelope costs the whole Traffic Controller: a Doppler and a nozzle in processes of their
 * own, mutual TLS towards the Doppler, plain HTTP towards the nozzle, as on one machine.
 *
 *     node traffic-controller/dist/traffic-controller.bench.js [doppler TLS | nozzle ADDRESS COUNT]
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import type { ServerWritableStream } from '@grpc/grpc-js';
import { createLogger, listenGrpc, readTls, type TlsFiles } from '@standpipe/plumbing';
import { testTls } from '@standpipe/plumbing/testing';
import { dopplerService } from '@standpipe/protos';
import { readConfig } from './config.ts';
import { batchOf, HANDSHAKE, openSettings } from './testing.ts';
import { startTrafficController } from './traffic-controller.ts';

const BATCH = 100;
const SIZE = 282;
const CONSUMERS = [1, 10, 100];
const self = fileURLToPath(import.meta.url);
const log = createLogger('bench', { level: 'error' });

export async function main({ seconds }: { readonly seconds: number }): Promise<void> {
  const { doppler: tls } = await testTls('doppler');
  const doppler = fork(self, ['doppler', JSON.stringify(tls)]);
  const [address] = (await once(doppler, 'message')) as [string];
  const settings = { ...(await openSettings([{ address }])), LOG_LEVEL: 'error' };
  for (const consumers of CONSUMERS) await measure(settings, { seconds, consumers });
  doppler.kill();
}

async function measure(
  settings: Record<string, string>,
  { seconds, consumers }: { readonly seconds: number; readonly consumers: number },
): Promise<void> {
  await using controller = await startTrafficController(readConfig(settings), { log });
  const nozzle = fork(self, ['nozzle', controller.address, String(consumers)]);
  await once(nozzle, 'message');
  const sent = (): number => {
    let egress = 0;
    for (const { name, value } of controller.metrics.series())
      if (name === 'egress') egress += value;
    return egress;
  };
  await pause(1); // Until it is warm.
  const [cpu, count, began] = [process.cpuUsage(), sent(), performance.now()];
  await pause(seconds);
  const { user, system } = process.cpuUsage(cpu);
  const envelopes = sent() - count;
  const rate = envelopes / ((performance.now() - began) / 1000);
  nozzle.kill();
  process.stdout.write(
    `  ${`${consumers} consumers, ${SIZE} bytes`.padEnd(44)} ` +
      `${((user + system) / envelopes).toFixed(3).padStart(9)} CPU-µs per envelope, ` +
      `${Math.round(rate).toLocaleString('en')} envelopes a second\n`,
  );
}

/** Floods every subscriber as fast as it reads. */
async function runDoppler(files: TlsFiles): Promise<void> {
  const message = batchOf(Array.from({ length: BATCH }, (_, n) => Buffer.alloc(SIZE, n)));
  const flood = (call: ServerWritableStream<Buffer, Buffer>): void => {
    while (!call.cancelled && call.write(message));
  };
  const batchSubscribe = (call: ServerWritableStream<Buffer, Buffer>): void => {
    call.on('error', () => undefined);
    call.on('drain', () => flood(call));
    flood(call);
  };
  const { address } = await listenGrpc({
    address: '127.0.0.1:0',
    tls: readTls(files),
    log,
    services: [
      { definition: dopplerService, implementation: { batchSubscribe, subscribe: batchSubscribe } },
    ],
  });
  process.send?.(address);
}

/** Opens websockets, takes everything and looks at nothing. */
async function runNozzle(address: string, consumers: number): Promise<void> {
  const [host = '', port] = address.split(':');
  const headers = Object.entries(HANDSHAKE).map(([name, value]) => `${name}: ${value}\r\n`);
  const answered: Promise<void>[] = [];
  for (let n = 0; n < consumers; n += 1) {
    answered.push(
      new Promise((resolve) => {
        const callback = (): boolean => {
          resolve();
          return true;
        };
        const onread = { buffer: Buffer.alloc(256 * 1024), callback };
        const socket = net.connect({ host, port: Number(port), onread });
        socket.on('error', () => undefined);
        socket.write(`GET /firehose/${n} HTTP/1.1\r\nHost: ${address}\r\n${headers.join('')}\r\n`);
      }),
    );
  }
  await Promise.all(answered);
  process.send?.('open');
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

const [, script, role, ...rest] = process.argv;
if (script === self) {
  if (role === 'doppler')
    await runDoppler(JSON.parse(rest[0] ?? '') as TlsFiles); // As main wrote it.
  else if (role === 'nozzle') await runNozzle(rest[0] ?? '', Number(rest[1]));
  else await main({ seconds: 3 });
}
