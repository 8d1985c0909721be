/** An agent that only notes what it is sent: where processes send metrics of themselves. */

import type { ServerReadableStream, sendUnaryData } from '@grpc/grpc-js';
import { createLogger, listenGrpc, readTls, type TlsFiles } from '@standpipe/plumbing';
import { ingressService, loggregator } from '@standpipe/protos';

type Envelope = loggregator.v2.IEnvelope;

export class AgentRecorder implements AsyncDisposable {
  readonly address: string;
  /** What has come by `Ingress/Sender`, in its order. */
  readonly envelopes: Envelope[];
  readonly #listener: AsyncDisposable;

  private constructor(listener: AsyncDisposable & { address: string }, envelopes: Envelope[]) {
    this.#listener = listener;
    this.address = listener.address;
    this.envelopes = envelopes;
  }

  static async listen(tls: TlsFiles): Promise<AgentRecorder> {
    const envelopes: Envelope[] = [];
    const listener = await listenGrpc({
      address: '127.0.0.1:0',
      tls: readTls(tls),
      log: createLogger('agent', { level: 'error' }),
      drainMs: 0,
      services: [{ definition: ingressService, implementation: { sender: senderInto(envelopes) } }],
    });
    return new AgentRecorder(listener, envelopes);
  }

  /** The newest envelope of a source whose counter or gauge has this name. */
  newest(sourceId: string, name: string): Envelope | undefined {
    return this.envelopes.findLast(
      (envelope) =>
        envelope.source_id === sourceId &&
        (envelope.counter?.name === name || envelope.gauge?.metrics?.[name] !== undefined),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener[Symbol.asyncDispose]();
  }
}

function senderInto(envelopes: Envelope[]) {
  return (call: ServerReadableStream<Buffer, Buffer>, answer: sendUnaryData<Buffer>): void => {
    call.on('data', (bytes: Buffer) => envelopes.push(loggregator.v2.Envelope.decode(bytes)));
    call.on('end', () => answer(null, Buffer.alloc(0)));
  };
}
