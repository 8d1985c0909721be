/**
 * What tests here share: a Doppler that sends what it is told and remembers who asked for what,
 * the settings to read from it, and plain HTTP requests.
 */

import http, { type IncomingHttpHeaders } from 'node:http';
import type { ServerWritableStream } from '@grpc/grpc-js';
import { type GrpcListener, listenGrpc, readTls, type TlsFiles } from '@standpipe/plumbing';
import { eventually, spyLog, testTls } from '@standpipe/plumbing/testing';
import { dopplerService, plumbing } from '@standpipe/protos';

export class FakeSubscription {
  readonly request: plumbing.SubscriptionRequest;
  /** The request as it came. */
  readonly requestBytes: Buffer;
  readonly #call: ServerWritableStream<Buffer, Buffer>;
  #ended = false;

  constructor(call: ServerWritableStream<Buffer, Buffer>) {
    this.#call = call;
    this.requestBytes = call.request;
    this.request = plumbing.SubscriptionRequest.decode(call.request);
  }

  get cancelled(): boolean {
    return this.#call.cancelled;
  }

  /** Whether neither side has ended it. */
  get open(): boolean {
    return !this.#ended && !this.#call.cancelled;
  }

  /** Sends one batch; false when no more should be sent for now. */
  send(payload: readonly (string | Uint8Array)[]): boolean {
    return this.#call.write(batchOf(payload));
  }

  /** Sends any bytes as a message. */
  sendBytes(bytes: Buffer): boolean {
    return this.#call.write(bytes);
  }

  /** Ends the call, with the error if there is one. */
  end(error?: Error): void {
    this.#ended = true;
    if (error === undefined) this.#call.end();
    else this.#call.emit('error', error);
  }
}

export class FakeDoppler implements AsyncDisposable {
  /** All that were ever made, the cancelled ones too. */
  readonly subscriptions: FakeSubscription[] = [];
  readonly #listener: GrpcListener;

  private constructor(listener: GrpcListener, subscriptions: FakeSubscription[]) {
    this.#listener = listener;
    this.subscriptions = subscriptions;
  }

  static async listen(files: TlsFiles, address = '127.0.0.1:0'): Promise<FakeDoppler> {
    const subscriptions: FakeSubscription[] = [];
    const listener = await listenGrpc({
      address,
      tls: readTls(files),
      log: spyLog(),
      drainMs: 0,
      services: [
        {
          definition: dopplerService,
          implementation: {
            subscribe: (call: ServerWritableStream<Buffer, Buffer>) => call.end(),
            batchSubscribe: (call: ServerWritableStream<Buffer, Buffer>) => {
              call.on('error', () => undefined); // The reader has gone.
              subscriptions.push(new FakeSubscription(call));
            },
          },
        },
      ],
    });
    return new FakeDoppler(listener, subscriptions);
  }

  get address(): string {
    return this.#listener.address;
  }

  get open(): readonly FakeSubscription[] {
    return this.subscriptions.filter(({ open }) => open);
  }

  /** Waits until one more than `index` are open at once, and gives that one. */
  async opened(index = 0): Promise<FakeSubscription> {
    const subscription = await eventually(() => this.open[index], { what: 'a subscription' });
    if (subscription === undefined) throw new Error('eventually gives nothing that is not there');
    return subscription;
  }

  /** Dies: connections break. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener[Symbol.asyncDispose]();
  }
}

export function batchOf(payload: readonly (string | Uint8Array)[]): Buffer {
  const bytes = payload.map((part) => (typeof part === 'string' ? Buffer.from(part) : part));
  return Buffer.from(plumbing.BatchResponse.encode({ payload: bytes }).finish());
}

/** The settings of a Traffic Controller on any free port, over these Dopplers, open to all. */
export async function openSettings(
  dopplers: readonly { readonly address: string }[],
): Promise<Record<string, string>> {
  const { trafficcontroller } = await testTls('trafficcontroller');
  return {
    TRAFFIC_CONTROLLER_OUTGOING_DROPSONDE_PORT: '0',
    TRAFFIC_CONTROLLER_DISABLE_ACCESS_CONTROL: 'true',
    ROUTER_CA_FILE: trafficcontroller.ca,
    ROUTER_CERT_FILE: trafficcontroller.cert,
    ROUTER_KEY_FILE: trafficcontroller.key,
    ROUTER_ADDRS: dopplers.map(({ address }) => address).join(','),
  };
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Headers of a websocket handshake. */
export const HANDSHAKE: Readonly<Record<string, string>> = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

/** One request on a connection of its own. An upgrade is an answer with status 101. */
export function ask(
  address: string,
  path: string,
  options: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  } = {},
): Promise<HttpAnswer> {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = options;
    const request = http.request({ host, port, path, method, headers, agent: false });
    request.on('upgrade', ({ headers: answered }, socket) => {
      socket.destroy();
      resolve({ status: 101, headers: answered, body: '' });
    });
    request.on('response', async (response) => {
      const parts: Buffer[] = [];
      for await (const part of response) parts.push(part);
      const text = Buffer.concat(parts).toString();
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
    });
    request.on('error', reject);
    request.end(body);
  });
}
