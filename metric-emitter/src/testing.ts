/** An agent that keeps what it is sent, for this workspace's tests. */

import { type ServerReadableStream, status as Status, type sendUnaryData } from '@grpc/grpc-js';
import { type GrpcListener, listenGrpc, readTls, type TlsFiles } from '@standpipe/plumbing';
import { spyLog } from '@standpipe/plumbing/testing';
import { ingressService, loggregator } from '@standpipe/protos';

export type Envelope = loggregator.v2.Envelope;

export interface FakeAgent extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
  readonly envelopes: Envelope[];
  /** The same as they came. */
  readonly messages: Buffer[];
  /** How many streams were opened. */
  readonly streams: number;
}

export interface FakeAgentOptions {
  readonly tls: TlsFiles;
  readonly port?: number;
  readonly drainMs?: number;
  /** Whether it answers the end of a stream, as Go agents do, with EOF. */
  readonly answers?: boolean;
  /** After how many envelopes it ends a stream. */
  readonly endAfter?: number;
}

export async function startAgent(options: FakeAgentOptions): Promise<FakeAgent> {
  const { tls, port = 0, answers = true, endAfter = Number.POSITIVE_INFINITY } = options;
  const envelopes: Envelope[] = [];
  const messages: Buffer[] = [];
  let streams = 0;
  const eof = { code: Status.UNKNOWN, details: 'EOF' };
  const sender = (
    call: ServerReadableStream<Buffer, Buffer>,
    answer: sendUnaryData<Buffer>,
  ): void => {
    streams += 1;
    let count = 0;
    call.on('data', (bytes: Buffer) => {
      count += 1;
      if (count > endAfter) return;
      messages.push(bytes);
      envelopes.push(loggregator.v2.Envelope.decode(bytes));
      if (count === endAfter) answer(eof);
    });
    call.on('end', () => {
      if (answers) answer(eof);
    });
    call.on('error', () => undefined); // It was cut off, as some tests want.
  };
  const listener: GrpcListener = await listenGrpc({
    address: `127.0.0.1:${port}`,
    tls: readTls(tls),
    services: [
      {
        definition: { sender: ingressService.sender },
        implementation: { sender },
      },
    ],
    log: spyLog(),
    ...(options.drainMs === undefined ? {} : { drainMs: options.drainMs }),
  });
  return {
    address: listener.address,
    port: listener.port,
    envelopes,
    messages,
    get streams() {
      return streams;
    },
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
  };
}

/** An envelope's deprecated tags, and a mistake if one of them is no text. */
export function tagsOf({ deprecated_tags }: Envelope): Record<string, string> {
  return Object.fromEntries(
    Object.entries(deprecated_tags).map(([name, { data, text }]) => {
      if (data !== 'text') throw new Error(`${name} is no text`);
      return [name, text ?? ''];
    }),
  );
}

/** What a counter of this name gained in all. */
export function gained(envelopes: readonly Envelope[], name: string): number {
  return envelopes
    .filter(({ counter }) => counter?.name === name)
    .reduce((sum, { counter }) => sum + Number(counter?.delta ?? 0), 0);
}
