/** What this workspace's tests share: clients of a Doppler's gRPC port that speak in bytes. */

import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import type {
  Client,
  ClientReadableStream,
  ClientWritableStream,
  ServiceError,
} from '@grpc/grpc-js';
import { dial, readTls } from '@standpipe/plumbing';
import { testTls } from '@standpipe/plumbing/testing';
import type { RawMethod } from '@standpipe/protos';

/** A connection to a Doppler, with every kind of call that it serves. */
export interface TestClient extends Disposable {
  readonly client: Client;
  /** Opens a stream to the Doppler. `ended` is how the call ends. */
  send(method: RawMethod): { call: ClientWritableStream<Buffer>; ended: Promise<Ended> };
  /** Makes one request and waits for its one answer. */
  ask(method: RawMethod, request: Buffer): Promise<Ended>;
  /** Opens a stream from the Doppler, which is read unless it is paused. */
  subscribe(method: RawMethod, request: Buffer): Subscriber;
}

export interface Ended {
  readonly code: number;
  readonly details: string;
}

export interface Subscriber {
  readonly call: ClientReadableStream<Buffer>;
  /** The messages that have come. */
  readonly messages: Buffer[];
  readonly ended: Promise<Ended>;
}

/** Connects to a Doppler's gRPC port with a client certificate of the tests' authority. */
export async function connect(address: string): Promise<TestClient> {
  const { metron } = await testTls('metron');
  const client = dial({
    address,
    tls: readTls(metron),
    serverName: 'doppler',
    channelOptions: { 'grpc.max_send_message_length': -1 }, // To send what must be refused.
  });
  return {
    client,
    send: (method) => openSender(client, method),
    ask: (method, request) => {
      const { path, requestSerialize, responseDeserialize } = method;
      return new Promise((resolve) => {
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error) =>
          resolve(endOf(error)),
        );
      });
    },
    subscribe: (method, request) => openSubscriber(client, method, request),
    [Symbol.dispose]: () => client.close(),
  };
}

function openSender(client: Client, method: RawMethod): ReturnType<TestClient['send']> {
  const { path, requestSerialize, responseDeserialize } = method;
  let call: ClientWritableStream<Buffer> | undefined;
  const ended = new Promise<Ended>((resolve) => {
    call = client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, (error) =>
      resolve(endOf(error)),
    );
    call.on('error', () => undefined); // Told by the callback.
  });
  if (!call) throw new Error('a promise runs its function at once');
  return { call, ended };
}

function openSubscriber(client: Client, method: RawMethod, request: Buffer): Subscriber {
  const { path, requestSerialize, responseDeserialize } = method;
  const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
  const messages: Buffer[] = [];
  call.on('data', (bytes: Buffer) => messages.push(bytes));
  call.on('error', () => undefined); // Told by the status.
  const ended = new Promise<Ended>((resolve) => {
    call.on('status', ({ code, details }: Ended) => resolve({ code, details }));
  });
  return { call, messages, ended };
}

function endOf(error: ServiceError | null): Ended {
  return error ? { code: error.code, details: error.details } : { code: 0, details: 'OK' };
}

/** A way to a server that can be cut, as when a peer's machine dies. */
export interface Wire extends AsyncDisposable {
  readonly address: string;
  /** Breaks every connection that goes through it. */
  cut(): void;
}

export async function wireTo(address: string): Promise<Wire> {
  const port = Number(address.split(':').at(-1));
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connectTcp(port, '127.0.0.1');
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.once('close', () => sockets.delete(socket));
    }
  });
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      cut();
      await closed;
    },
  };
}
