/** The neighbours of a proxy and of its gateway, for their tests. */

import type * as grpc from '@grpc/grpc-js';
import { type ClientReadableStream, Metadata, type ServerWritableStream } from '@grpc/grpc-js';
import { dial, type GrpcListener, listenGrpc, readTls, type TlsFiles } from '@standpipe/plumbing';
import { spyLog } from '@standpipe/plumbing/testing';
import { egressService, loggregator } from '@standpipe/protos';
import { encodeBatch, numberedLog } from '@standpipe/protos/testing';

export interface Refusal {
  readonly code: grpc.status;
  readonly details: string;
}

type Call = ServerWritableStream<Buffer, Buffer>;

export interface FakeEgressOptions {
  readonly tls: TlsFiles;
  readonly address?: string;
  /** Whether a stream is answered before it has anything; the original's are not. */
  readonly answersAtOnce?: boolean;
  /** Refuses every stream, until it is told otherwise. */
  readonly refusal?: Refusal;
  /** Ends every stream after these bytes. */
  readonly farewell?: Buffer;
}

/** A server of `loggregator.v2.Egress`, as Dopplers and the proxy are, that sends what it is told. */
export class FakeEgress implements AsyncDisposable {
  /** The streams that are open, and all requests that ever came. */
  readonly calls: Call[] = [];
  readonly requests: loggregator.v2.EgressBatchRequest[] = [];
  /** The last request, as it came. */
  lastRequest: Buffer = Buffer.alloc(0);
  /** What it says to streams that come from now on. */
  refusal: Refusal | undefined;
  readonly #options: FakeEgressOptions;
  #listener: GrpcListener | undefined;

  private constructor(options: FakeEgressOptions) {
    this.#options = options;
    this.refusal = options.refusal;
  }

  static async listen(options: FakeEgressOptions): Promise<FakeEgress> {
    const egress = new FakeEgress(options);
    const batchedReceiver = (call: Call): void => egress.#serve(call);
    egress.#listener = await listenGrpc({
      address: options.address ?? '127.0.0.1:0',
      tls: readTls(options.tls),
      services: [{ definition: egressService, implementation: { batchedReceiver } }],
      log: spyLog(),
      drainMs: 0,
    });
    return egress;
  }

  get address(): string {
    return this.#listener?.address ?? '';
  }

  /** Sends the same bytes on every stream. */
  send(bytes: Buffer): void {
    for (const call of this.calls) call.write(bytes);
  }

  sendLines(sourceId: string, from: number, to: number): void {
    const count = to - from;
    this.send(
      encodeBatch(Array.from({ length: count }, (_, n) => numberedLog(sourceId, from + n))),
    );
  }

  /** Sends each line to one stream only, in turn, as a Doppler does within a shard. */
  dealLines(sourceId: string, from: number, to: number): void {
    for (let n = from; n < to; n += 1) {
      this.calls[n % this.calls.length]?.write(encodeBatch([numberedLog(sourceId, n)]));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener?.[Symbol.asyncDispose]();
  }

  #serve(call: Call): void {
    this.lastRequest = call.request;
    this.requests.push(loggregator.v2.EgressBatchRequest.decode(call.request));
    if (this.refusal) {
      call.emit('error', this.refusal);
      return;
    }
    if (this.#options.farewell) {
      call.write(this.#options.farewell);
      call.end();
      return;
    }
    this.calls.push(call);
    call.on('cancelled', () => this.calls.splice(this.calls.indexOf(call), 1));
    if (this.#options.answersAtOnce) call.sendMetadata(new Metadata());
  }
}

export interface ReaderOptions {
  readonly address: string;
  readonly tls: TlsFiles;
  readonly request: loggregator.v2.IEgressBatchRequest;
  readonly method?: 'batchedReceiver' | 'receiver';
  /** What is sent instead of the request. */
  readonly raw?: Buffer;
  /** Whether it goes on reading after its first message. */
  readonly reading?: boolean;
}

/** A reader of `loggregator.v2.Egress`, with a connection of its own. */
export class Reader implements Disposable {
  /** The messages that came. */
  readonly messages: Buffer[] = [];
  readonly call: ClientReadableStream<Buffer>;
  /** How the call ended. */
  readonly ended: Promise<grpc.StatusObject>;
  /** Resolves when the server has answered, or the call has ended. */
  readonly answered: Promise<unknown>;
  /** Whether the server has said that it serves the call. */
  isAccepted = false;
  readonly #client: grpc.Client;
  readonly #options: ReaderOptions;

  constructor(options: ReaderOptions, client?: grpc.Client) {
    const { address, tls, request, raw, method = 'batchedReceiver', reading = true } = options;
    this.#client = client ?? dial({ address, tls: readTls(tls), serverName: 'reverselogproxy' });
    this.#options = options;
    const { path, requestSerialize, responseDeserialize } = egressService[method];
    const bytes = raw ?? Buffer.from(loggregator.v2.EgressBatchRequest.encode(request).finish());
    this.call = this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      bytes,
    );
    this.call.on('error', () => {}); // Its status says the same.
    this.ended = new Promise((resolve) => this.call.on('status', resolve));
    const accepted = new Promise<void>((resolve) => {
      this.call.on('metadata', () => {
        this.isAccepted = true;
        resolve();
      });
    });
    this.answered = Promise.race([accepted, this.ended]);
    // grpc-js holds a stream back only once it has been read from.
    this.call.on('data', (bytes: Buffer) => {
      this.messages.push(bytes);
      if (!reading && this.messages.length === 1) this.call.pause();
    });
  }

  /** Another reader on the same connection. */
  again(request: loggregator.v2.IEgressBatchRequest): Reader {
    return new Reader({ ...this.#options, request }, this.#client);
  }

  /** Goes on reading. */
  resume(): void {
    this.call.resume();
  }

  /** All envelopes that came, decoded. */
  get envelopes(): loggregator.v2.IEnvelope[] {
    const envelopes: loggregator.v2.IEnvelope[] = [];
    for (const bytes of this.messages) {
      envelopes.push(...(loggregator.v2.EnvelopeBatch.decode(bytes).batch ?? []));
    }
    return envelopes;
  }

  [Symbol.dispose](): void {
    this.call.cancel();
    this.#client.close();
  }
}
