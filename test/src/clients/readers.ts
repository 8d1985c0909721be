/**
 * Reading at each of the pipeline's exits, as any client would, and noting the numbered lines.
 *
 * A reader notes what comes until it is disposed of.
 */

import { dial, readTls } from '@standpipe/plumbing';
import {
  egressService,
  events,
  logCacheEgressService,
  logcache,
  loggregator,
  PackedBatch,
} from '@standpipe/protos';
import { numberOf } from '@standpipe/protos/testing';
import WebSocket from 'ws';
import { Numbers } from '../numbers.ts';
import type { ServerOptions } from './ingress.ts';

export interface NumberReader extends Disposable {
  readonly numbers: Numbers;
}

export interface WebSocketOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** The PEM of the authority of the server's certificate. */
  readonly ca?: Buffer;
}

/** A websocket of the traffic controller: `/firehose/:id` or `/apps/:id/stream`. */
export class WebSocketReader implements NumberReader {
  readonly numbers: Numbers = new Numbers();
  /** Of every envelope, of any source, how many of each event type have come. */
  readonly eventTypes: Map<string, number> = new Map();
  readonly #socket: WebSocket;
  readonly #sourceId: string | undefined;

  private constructor(socket: WebSocket, sourceId: string | undefined) {
    this.#socket = socket;
    this.#sourceId = sourceId;
    socket.on('message', (data: Buffer) => this.#note(data));
  }

  /** Notes the numbered lines of this source, or of every source. */
  static open(
    url: string,
    sourceId?: string,
    options: WebSocketOptions = {},
  ): Promise<WebSocketReader> {
    const socket = new WebSocket(url, options);
    const reader = new WebSocketReader(socket, sourceId);
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(reader));
      socket.once('error', reject);
    });
  }

  /** Resolves with the code with which the server closed. */
  closed(): Promise<number> {
    return new Promise((resolve) => this.#socket.once('close', resolve));
  }

  [Symbol.dispose](): void {
    this.#socket.terminate();
  }

  #note(data: Buffer): void {
    const { eventType, logMessage } = events.Envelope.decode(data);
    const type = events.Envelope.EventType[eventType] ?? String(eventType);
    this.eventTypes.set(type, (this.eventTypes.get(type) ?? 0) + 1);
    if (!logMessage) return;
    const isOurs = this.#sourceId === undefined || this.#sourceId === logMessage.app_id;
    if (isOurs) this.numbers.add(numberOf(logMessage.message));
  }
}

/** `loggregator.v2.Egress` of a Doppler or a reverse log proxy. */
export class EgressReader implements NumberReader {
  readonly numbers: Numbers = new Numbers();
  readonly #close: () => void;

  constructor(options: ServerOptions, method: 'receiver' | 'batchedReceiver', sourceId: string) {
    const client = dial({ ...options, tls: readTls(options.tls) });
    const { path, requestSerialize, responseDeserialize } = egressService[method];
    const request = loggregator.v2.EgressBatchRequest.encode({
      use_preferred_tags: true,
      selectors: [{ source_id: sourceId, log: {} }],
    }).finish();
    const stream = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      Buffer.from(request),
    );
    stream.on('data', (bytes: Buffer) => {
      this.numbers.addBatch(method === 'receiver' ? PackedBatch.of(bytes).bytes : bytes);
    });
    stream.on('error', () => {}); // It ends when the test does.
    this.#close = () => {
      stream.cancel();
      client.close();
    };
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}

/** `/v2/read` of the gateway, or a tail of the log cache: server-sent events with JSON. */
export class SseReader implements NumberReader {
  readonly numbers: Numbers = new Numbers();
  readonly #stop: AbortController = new AbortController();

  /** Resolves when the response has begun. */
  static async open(url: string): Promise<SseReader> {
    const reader = new SseReader();
    const response = await fetch(url, { signal: reader.#stop.signal });
    if (!response.ok || !response.body) throw new Error(`${url} answered ${response.status}`);
    void reader.#read(response.body).catch(() => {}); // Aborted when the test ends.
    return reader;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of body) {
      text += decoder.decode(chunk, { stream: true });
      const events = text.split('\n\n');
      text = events.pop() ?? '';
      for (const event of events) this.#note(event);
    }
  }

  #note(event: string): void {
    const [, text] = /^(?:id: .*\n)?data: (.*)$/.exec(event) ?? [];
    if (text === undefined) return;
    const message = JSON.parse(text);
    for (const { log } of (message.envelopes ?? message).batch) {
      if (log) this.numbers.add(numberOf(Buffer.from(log.payload, 'base64')));
    }
  }
}

/** All that a Log Cache's REST interface holds of a source, page by page. */
export async function readRest(base: string, sourceId: string): Promise<Numbers> {
  const numbers = new Numbers();
  let startTime = 0n;
  for (;;) {
    const url = `${base}/api/v1/read/${encodeURIComponent(sourceId)}?start_time=${startTime}&limit=1000`;
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
    const { envelopes } = (await response.json()) as RestPage;
    for (const { log } of envelopes.batch) {
      if (log) numbers.add(numberOf(Buffer.from(log.payload, 'base64')));
    }
    const newest = envelopes.batch.at(-1);
    if (!newest || envelopes.batch.length < 1000) return numbers;
    startTime = BigInt(newest.timestamp) + 1n;
  }
}

/** What a Log Cache's gRPC interface holds of a source: the newest thousand. */
export async function readGrpc(options: ServerOptions, sourceId: string): Promise<Numbers> {
  const client = dial({ ...options, tls: readTls(options.tls) });
  const { path, requestSerialize, responseDeserialize } = logCacheEgressService.read;
  const request = logcache.v1.ReadRequest.encode({
    source_id: sourceId,
    limit: 1000,
    descending: true,
  });
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      Buffer.from(request.finish()),
      (error, answer) => (error || !answer ? reject(error) : resolve(answer)),
    );
  }).finally(() => client.close());
  const numbers = new Numbers();
  for (const { log } of logcache.v1.ReadResponse.decode(bytes).envelopes?.batch ?? []) {
    numbers.add(numberOf(log?.payload));
  }
  return numbers;
}

interface RestPage {
  readonly envelopes: {
    readonly batch: readonly {
      readonly timestamp: string;
      readonly log?: { readonly payload: string };
    }[];
  };
}
