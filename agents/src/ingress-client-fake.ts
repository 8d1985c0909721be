/** A `loggregator.v2.Ingress` for tests: it remembers what it is sent, and can stall and die. */

import type { handleUnaryCall, ServerReadableStream } from '@grpc/grpc-js';
import { type GrpcListener, listenGrpc, readTls, type TlsFiles } from '@standpipe/plumbing';
import { spyLog } from '@standpipe/plumbing/testing';
import { ingressService, loggregator } from '@standpipe/protos';
import { numberOf } from '@standpipe/protos/testing';

type Envelope = loggregator.v2.Envelope;
const NOTHING = Buffer.alloc(0);

export class FakeIngress implements AsyncDisposable {
  /** All that came, in the order in which it came. */
  readonly envelopes: Envelope[] = [];
  /** The messages of batches, as they came. */
  readonly messages: Buffer[] = [];
  /** How many envelopes each message held. */
  readonly sizes: number[] = [];
  readonly address: string;
  /** Streams that are open now. */
  streams = 0;

  readonly #listener: GrpcListener;
  readonly #calls: Set<ServerReadableStream<Buffer, Buffer>>;

  constructor(listener: GrpcListener, calls: Set<ServerReadableStream<Buffer, Buffer>>) {
    this.#listener = listener;
    this.#calls = calls;
    this.address = listener.address;
  }

  static async start(files: TlsFiles, address = '127.0.0.1:0'): Promise<FakeIngress> {
    const calls = new Set<ServerReadableStream<Buffer, Buffer>>();
    let fake: FakeIngress | undefined;
    const stream =
      (take: (fake: FakeIngress, bytes: Buffer) => void) =>
      (call: ServerReadableStream<Buffer, Buffer>, answer: (e: null, b: Buffer) => void): void => {
        calls.add(call);
        if (fake) fake.streams += 1;
        call.on('data', (bytes: Buffer) => fake && take(fake, bytes));
        call.on('error', () => undefined);
        call.on('end', () => answer(null, NOTHING));
        const left = (): void => {
          if (calls.delete(call) && fake) fake.streams -= 1;
        };
        call.on('end', left);
        call.on('cancelled', left);
        call.on('close', left);
      };
    const send: handleUnaryCall<Buffer, Buffer> = (call, answer) => {
      fake?.takeBatch(call.request);
      answer(null, NOTHING);
    };
    const listener = await listenGrpc({
      address,
      tls: readTls(files),
      services: [
        {
          definition: ingressService,
          implementation: {
            batchSender: stream((to, bytes) => to.takeBatch(bytes)),
            sender: stream((to, bytes) => to.envelopes.push(loggregator.v2.Envelope.decode(bytes))),
            send,
          },
        },
      ],
      log: spyLog(),
      drainMs: 1000,
    });
    fake = new FakeIngress(listener, calls);
    return fake;
  }

  takeBatch(bytes: Buffer): void {
    const { batch } = loggregator.v2.EnvelopeBatch.decode(bytes);
    this.messages.push(bytes);
    this.sizes.push(batch.length);
    this.envelopes.push(...(batch as Envelope[])); // Decoded, so no mere initial values.
  }

  /** The numbers of the numbered logs that came. */
  get numbers(): number[] {
    return this.envelopes.map(({ log }) => numberOf(log?.payload) ?? -1);
  }

  sourceIds(): Set<string> {
    return new Set(this.envelopes.map(({ source_id }) => source_id));
  }

  /** Reads no more until `resume`. */
  stall(): void {
    for (const call of this.#calls) call.pause();
  }

  resume(): void {
    for (const call of this.#calls) call.resume();
  }

  /** Breaks every stream off with an error, as a peer that crashes does. */
  breakStreams(): void {
    for (const call of this.#calls) call.emit('error', { code: 13, details: 'broken' });
  }

  /** Says goodbye, lets streams end for a second, and is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener[Symbol.asyncDispose]();
  }
}
