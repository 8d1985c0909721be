/** Sending numbered lines by each method of `loggregator.v2.Ingress`, as any client would. */

import type * as grpc from '@grpc/grpc-js';
import { dial, readTls, type TlsFiles } from '@standpipe/plumbing';
import { ingressService, type RawMethod } from '@standpipe/protos';
import { encodeBatch, encodeEnvelope, numberedLog } from '@standpipe/protos/testing';

export interface ServerOptions {
  readonly address: string;
  readonly tls: TlsFiles;
  /** The name in the server's certificate. */
  readonly serverName: string;
}

export class IngressCaller implements Disposable {
  readonly #client: grpc.Client;

  constructor({ address, tls, serverName }: ServerOptions) {
    this.#client = dial({ address, tls: readTls(tls), serverName });
  }

  /** `Send`: one batch, answered. */
  send(sourceId: string, numbers: readonly number[]): Promise<void> {
    const { path, requestSerialize, responseDeserialize } = ingressService.send;
    const bytes = encodeBatch(numbers.map((number) => numberedLog(sourceId, number, now())));
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, bytes, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }

  /**
   * `BatchSender`: a stream of batches of this size. Resolves with the status that the server ends
   * it with.
   */
  batchSender(sourceId: string, numbers: readonly number[], size = 7): Promise<grpc.StatusObject> {
    const messages: Buffer[] = [];
    for (let at = 0; at < numbers.length; at += size) {
      const part = numbers.slice(at, at + size);
      messages.push(encodeBatch(part.map((number) => numberedLog(sourceId, number, now()))));
    }
    return this.stream(ingressService.batchSender, messages);
  }

  /** `Sender`: a stream of single envelopes. */
  async sender(sourceId: string, numbers: readonly number[]): Promise<void> {
    const messages = numbers.map((number) => encodeEnvelope(numberedLog(sourceId, number, now())));
    await this.stream(ingressService.sender, messages);
  }

  /** Sends these messages and half-closes; gives the status with which the server ended the call. */
  stream(method: RawMethod, messages: readonly Buffer[]): Promise<grpc.StatusObject> {
    const { path, requestSerialize, responseDeserialize } = method;
    return new Promise((resolve) => {
      const call = this.#client.makeClientStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        () => {},
      );
      call.on('status', resolve);
      call.on('error', () => {}); // Its status says the same.
      for (const message of messages) call.write(message);
      call.end();
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

let last = 0n;

/** The time of day in nanoseconds, and never the same twice: lines keep their order. */
function now(): bigint {
  const time = BigInt(Date.now()) * 1_000_000n;
  last = time > last ? time : last + 1n;
  return last;
}
