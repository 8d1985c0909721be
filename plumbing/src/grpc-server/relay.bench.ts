/**
 * What a message costs a process that only passes it on, from one stream to another over mutual
 * TLS: with our server, and with grpc-js's in its place. Whoever sends and reads is a process of
 * its own.
 *
 *     npm run bench -- relay --seconds 3
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { dial, type GrpcService, listenGrpc, MAX_MESSAGE_BYTES, WINDOW_BYTES } from '../grpc.ts';
import { createLogger } from '../log.ts';
import { testTls } from '../testing.ts';
import { contextOptions, readTls, type TlsFiles } from '../tls.ts';
import type { ServerCall } from './call.ts';

/** As large as a batch of agents. */
const MESSAGE_BYTES = 28_200;
const PER_SECOND = 1500;
const TICK_MS = 4;
const ROUNDS = 3;

const self = fileURLToPath(import.meta.url);
const as = (bytes: Buffer): Buffer => bytes;
const shape = {
  requestSerialize: as,
  requestDeserialize: as,
  responseSerialize: as,
  responseDeserialize: as,
};
const definition: grpc.ServiceDefinition = {
  push: { path: '/t.T/Push', requestStream: true, responseStream: false, ...shape },
  follow: { path: '/t.T/Follow', requestStream: false, responseStream: true, ...shape },
};

type Writable = Pick<ServerCall, 'write' | 'sendMetadata'>;

const [role, argument = '', ...more] = process.argv.slice(2);
if (role === 'relay-ours' || role === 'relay-grpc-js') await serve(role, tlsIn(argument));
if (role === 'relay-read') read(argument, tlsIn(more[0] ?? ''));
if (role === 'relay-send') await send(argument, tlsIn(more[0] ?? ''), Number(more[1]));

export async function main({ seconds }: { readonly seconds: number }): Promise<void> {
  const { doppler } = await testTls('doppler');
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const kind of ['relay-grpc-js', 'relay-ours']) await measure(kind, doppler, seconds);
  }
}

async function measure(kind: string, tls: TlsFiles, seconds: number): Promise<void> {
  const files = JSON.stringify(tls);
  const relay = fork(self, [kind, files], { stdio: ['ignore', 'inherit', 'ignore', 'ipc'] });
  const [address] = (await once(relay, 'message')) as [string];
  const reader = fork(self, ['relay-read', address, files]);
  await once(reader, 'message');
  const sender = fork(self, ['relay-send', address, files, String(seconds)]);
  const [sent] = (await once(sender, 'message')) as [number];
  relay.send('report');
  const [microseconds] = (await once(relay, 'message')) as [number];
  for (const child of [sender, reader, relay]) child.kill();
  const each = (microseconds / sent).toFixed(1).padStart(9);
  process.stdout.write(
    `  ${kind.padEnd(58)} ${each} CPU-µs per message of ${MESSAGE_BYTES} bytes\n`,
  );
}

async function serve(kind: string, files: TlsFiles): Promise<void> {
  let follower: Writable | undefined;
  let used: NodeJS.CpuUsage | undefined;
  const service: GrpcService = {
    definition,
    implementation: {
      push: (call: ServerCall) => {
        call.on('data', (message: Buffer) => {
          used ??= process.cpuUsage();
          follower?.write(message);
        });
      },
      follow: (call: Writable) => {
        follower = call;
        call.sendMetadata(new grpc.Metadata());
      },
    },
  };
  process.on('message', () => {
    const { user, system } = process.cpuUsage(used);
    process.send?.(user + system);
  });
  const address = await (kind === 'relay-ours' ? listenOurs : listenGrpcJs)(files, service);
  process.send?.(address);
}

async function listenOurs(files: TlsFiles, service: GrpcService): Promise<string> {
  const { address } = await listenGrpc({
    address: '127.0.0.1:0',
    tls: readTls(files),
    log: createLogger('bench', { level: 'error' }),
    services: [service],
  });
  return address;
}

/** With the same windows, which grpc-js's server is given through fields that are private. */
async function listenGrpcJs(files: TlsFiles, service: GrpcService): Promise<string> {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': MAX_MESSAGE_BYTES });
  const insides = server as unknown as {
    readonly commonServerOptions: { settings?: object };
    readonly http2Servers: ReadonlyMap<NodeJS.EventEmitter, unknown>;
  };
  const { settings } = insides.commonServerOptions;
  insides.commonServerOptions.settings = { ...settings, initialWindowSize: WINDOW_BYTES };
  server.addService(
    service.definition,
    service.implementation as grpc.UntypedServiceImplementation,
  );
  const { ca, cert, key } = contextOptions(readTls(files));
  const pair = { cert_chain: cert as Buffer, private_key: key as Buffer };
  const credentials = grpc.ServerCredentials.createSsl(ca as Buffer, [pair], true);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  for (const http2Server of insides.http2Servers.keys()) {
    http2Server.on('session', (session: { setLocalWindowSize(bytes: number): void }) =>
      session.setLocalWindowSize(WINDOW_BYTES),
    );
  }
  return `127.0.0.1:${port}`;
}

function tlsIn(json: string): TlsFiles {
  return JSON.parse(json) as TlsFiles;
}

function read(address: string, files: TlsFiles): void {
  const client = dial({ address, tls: readTls(files), serverName: 'doppler' });
  const call = client.makeServerStreamRequest('/t.T/Follow', as, as, Buffer.alloc(0));
  call.on('data', () => undefined);
  call.on('error', () => undefined); // It is cut in the end.
  call.on('metadata', () => process.send?.('ready'));
}

async function send(address: string, files: TlsFiles, seconds: number): Promise<void> {
  const client = dial({ address, tls: readTls(files), serverName: 'doppler' });
  const call = client.makeClientStreamRequest('/t.T/Push', as, as, () => undefined);
  call.on('error', () => undefined); // It is cut in the end.
  const message = Buffer.alloc(MESSAGE_BYTES, 'x');
  const startedAt = performance.now();
  let sent = 0;
  for (;;) {
    const elapsed = (performance.now() - startedAt) / 1000;
    if (elapsed >= seconds) break;
    for (; sent < elapsed * PER_SECOND; sent += 1) {
      if (!call.write(message)) await once(call, 'drain');
    }
    await sleep(TICK_MS);
  }
  await sleep(200); // What is on its way arrives.
  process.send?.(sent);
}
