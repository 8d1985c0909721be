/**
 * For the adapter's tests: its neighbours, a reverse log proxy and a syslog server, and a reader of
 * RFC 5424 that knows nothing of the writer.
 */

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { Metadata, type ServerWritableStream } from '@grpc/grpc-js';
import { type GrpcListener, listenGrpc, readTls, type TlsFiles } from '@standpipe/plumbing';
import { spyLog } from '@standpipe/plumbing/testing';
import { Batch, egressService, loggregator, scanEnvelope } from '@standpipe/protos';
import { encodeBatch, encodeEnvelope, numberedLog } from '@standpipe/protos/testing';
import type { FrameBuffer } from './framing.ts';
import { Rfc5424Writer } from './rfc5424.ts';

type EnvelopeInit = loggregator.v2.IEnvelope;
type Call = ServerWritableStream<Buffer, Buffer>;

interface Reader {
  readonly call: Call;
  readonly request: loggregator.v2.EgressBatchRequest;
}

/** Gives each envelope to one of the readers that selected it, as one shard of a Doppler would. */
export class FakeProxy implements AsyncDisposable {
  /** Who reads now, and all requests that ever came. */
  readonly readers: Reader[] = [];
  readonly requests: loggregator.v2.EgressBatchRequest[] = [];
  /** Whether it accepts each request and ends its stream at once. */
  isHangingUp = false;
  readonly #listener: GrpcListener;
  #turn = 0;

  private constructor(listen: (proxy: FakeProxy) => GrpcListener) {
    this.#listener = listen(this);
  }

  static async listen(tls: TlsFiles, address = '127.0.0.1:0'): Promise<FakeProxy> {
    let proxy: FakeProxy | undefined;
    const batchedReceiver = (call: Call): void => proxy?.serve(call);
    const listener = await listenGrpc({
      address,
      tls: readTls(tls),
      services: [{ definition: egressService, implementation: { batchedReceiver } }],
      log: spyLog(),
      drainMs: 0,
    });
    proxy = new FakeProxy(() => listener);
    return proxy;
  }

  get address(): string {
    return this.#listener.address;
  }

  serve(call: Call): void {
    const reader = { call, request: loggregator.v2.EgressBatchRequest.decode(call.request) };
    this.requests.push(reader.request);
    if (this.isHangingUp) {
      call.sendMetadata(new Metadata());
      call.end();
      return;
    }
    this.readers.push(reader);
    call.on('cancelled', () => this.readers.splice(this.readers.indexOf(reader), 1));
    call.sendMetadata(new Metadata());
  }

  /** Sends envelopes to who selected them; returns how many nobody wanted. */
  send(envelopes: readonly EnvelopeInit[]): number {
    const parts = new Map<Reader, EnvelopeInit[]>();
    let unwanted = 0;
    for (const envelope of envelopes) {
      const among = this.readers.filter(({ request }) => selects(request, envelope));
      const reader = among[this.#turn++ % Math.max(1, among.length)];
      if (reader) parts.set(reader, [...(parts.get(reader) ?? []), envelope]);
      else unwanted += 1;
    }
    for (const [{ call }, part] of parts) call.write(encodeBatch(part));
    return unwanted;
  }

  /** Sends numbered lines of an app, ten in a batch; each is selected, or this throws. */
  sendLines(appId: string, from: number, to: number): void {
    for (let at = from; at < to; at += 10) {
      const lines = Array.from({ length: Math.min(10, to - at) }, (_, n) =>
        numberedLog(appId, at + n),
      );
      if (this.send(lines) > 0) throw new Error(`nobody reads ${appId}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener[Symbol.asyncDispose]();
  }
}

const KINDS = ['log', 'counter', 'gauge', 'timer', 'event'] as const;

function selects(request: loggregator.v2.EgressBatchRequest, envelope: EnvelopeInit): boolean {
  return (request.selectors ?? []).some(
    (selector) =>
      selector.source_id === envelope.source_id &&
      KINDS.some((kind) => selector[kind] != null && envelope[kind] != null),
  );
}

/** A syslog server: splits what it reads by the lengths, and notes each message. */
export class SyslogServer implements AsyncDisposable {
  readonly messages: string[] = [];
  /** Connections that are open, and how many there ever were. */
  readonly sockets: Set<Socket> = new Set();
  connections = 0;
  /** Whether connections are read; set it before they come. */
  isReading = true;
  readonly #server: Server = createServer((socket) => this.#serve(socket));

  static async listen(port = 0): Promise<SyslogServer> {
    const server = new SyslogServer();
    server.#server.listen(port, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get port(): number {
    const { port } = this.#server.address() as AddressInfo; // It listens on TCP.
    return port;
  }

  get url(): string {
    return `syslog://127.0.0.1:${this.port}`;
  }

  /** The numbers of the numbered lines that came, in their order. */
  get numbers(): number[] {
    return this.messages.flatMap((message) => {
      const match = / line (\d+)\n$/.exec(message);
      return match ? [Number(match[1])] : [];
    });
  }

  /** Reads on connections that were not read. */
  resume(): void {
    this.isReading = true;
    for (const socket of this.sockets) socket.resume();
  }

  /** Closes the connections that are open, gracefully. */
  hangUp(): void {
    for (const socket of this.sockets) socket.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }

  #serve(socket: Socket): void {
    this.connections += 1;
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    socket.on('error', () => {}); // 'close' follows.
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      rest = this.#split(Buffer.concat([rest, bytes]));
    });
    if (!this.isReading) socket.pause();
  }

  /** Notes the whole messages; returns what is left. */
  #split(bytes: Buffer): Buffer {
    let at = 0;
    for (;;) {
      const blank = bytes.indexOf(0x20, at);
      if (blank < 0) return bytes.subarray(at);
      const end = blank + 1 + Number(bytes.toString('latin1', at, blank));
      if (!(end <= bytes.length)) return bytes.subarray(at);
      this.messages.push(bytes.toString('utf8', blank + 1, end));
      at = end;
    }
  }
}

/** Writes one envelope's messages; how many, or UNSENDABLE. */
export function writeEnvelope(
  frames: FrameBuffer,
  init: EnvelopeInit,
  host = '',
  metadata = true,
): number {
  const batch = new Batch();
  if (!scanEnvelope(encodeEnvelope(init), batch)) throw new Error(batch.mistake);
  const style = { hostname: Buffer.from(host), metadata };
  const [start, end] = [batch.start[0] ?? 0, batch.end[0] ?? 0];
  return new Rfc5424Writer(frames).write(batch.bytes, start, end, style);
}

/** The parts before the structured data, and all the rest. */
export function readHeader(
  text: string,
): Record<'priority' | 'time' | 'host' | 'app' | 'process' | 'rest', string> {
  const match = /^\d+ <(-?\d+)>1 (\S+) (\S+) (\S+) (\S+) - (.*)$/s.exec(text);
  if (!match) throw new Error(`no header in ${text}`);
  const [, priority = '', time = '', host = '', app = '', process = '', rest = ''] = match;
  return { priority, time, host, app, process, rest };
}

/** A message as a receiver sees it. */
export interface SyslogMessage {
  readonly priority: string;
  readonly app: string;
  readonly data: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly text: string;
}

/** Splits frames by their lengths and parses each, as RFC 6587 and RFC 5424 say. */
export function readMessages(bytes: Buffer): SyslogMessage[] {
  const messages: SyslogMessage[] = [];
  for (let at = 0; at < bytes.length; ) {
    const blank = bytes.indexOf(0x20, at);
    const size = Number(bytes.toString('latin1', at, blank));
    const frame = bytes.toString('latin1', at, blank + 1 + size);
    const { priority, app, rest } = readHeader(frame);
    messages.push({ priority, app, ...parseData(rest) });
    at = blank + 1 + size;
  }
  return messages;
}

function parseData(rest: string): Pick<SyslogMessage, 'data' | 'text'> {
  if (rest.startsWith('-')) return { data: {}, text: rest.slice(1) };
  const data: Record<string, Record<string, string>> = {};
  let left = rest;
  for (let id = /^\[([^ \]=]+)/.exec(left); id; id = /^\[([^ \]=]+)/.exec(left)) {
    const parameters: Record<string, string> = {};
    left = left.slice(id[0].length);
    const pattern = /^ ([^ =\]"]*)="((?:\\["\\\]]|[^"\\\]])*)"/;
    for (let pair = pattern.exec(left); pair; pair = pattern.exec(left)) {
      parameters[pair[1] ?? ''] = utf8((pair[2] ?? '').replace(/\\(["\\\]])/g, '$1'));
      left = left.slice(pair[0].length);
    }
    if (!left.startsWith(']')) throw new Error(`element not closed: ${left}`);
    left = left.slice(1);
    data[id[1] ?? ''] = parameters;
  }
  return { data, text: left };
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString();
}
