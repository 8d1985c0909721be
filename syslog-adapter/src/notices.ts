/**
 * Tells an app, in its own log, that a drain of its lost messages.
 *
 * Losses are gathered per drain and told every few seconds, so that a notice never is a flood. They
 * go to a v2 ingress, and from there the way of all logs: to `cf logs`, and to the drain itself.
 * A notice that cannot be sent is kept and added to the next one; past DRAINS_MAX drains at a time
 * further ones are not told of, only counted.
 */

import type * as grpc from '@grpc/grpc-js';
import type { Log } from '@standpipe/plumbing';
import { ingressService, loggregator, nowNanoseconds } from '@standpipe/protos';
import type { DrainBinding } from './bindings.ts';

const { Envelope, EnvelopeBatch, Log: LogMessage } = loggregator.v2;

const INTERVAL_MS = 5000;
const SEND_LIMIT_MS = 2000;
const DRAINS_MAX = 1000;

export interface NoticesOptions {
  /** A client of an agent's v2 ingress. */
  readonly client: grpc.Client;
  readonly log: Log;
  readonly intervalMs?: number;
}

export class Notices implements AsyncDisposable {
  readonly #client: grpc.Client;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  readonly #lost = new Map<string, { readonly binding: DrainBinding; count: number }>();
  #sending: Promise<void> = Promise.resolve();

  constructor({ client, log, intervalMs = INTERVAL_MS }: NoticesOptions) {
    this.#client = client;
    this.#log = log;
    this.#timer = setInterval(() => this.#flush(), intervalMs);
  }

  /** Notes that a drain lost messages. */
  lost(binding: DrainBinding, count: number): void {
    const entry = this.#lost.get(binding.identity);
    if (entry) entry.count += count;
    else if (this.#lost.size < DRAINS_MAX) this.#lost.set(binding.identity, { binding, count });
  }

  /** Sends what is still to be told. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#sending;
    this.#flush();
    await this.#sending;
  }

  #flush(): void {
    if (this.#lost.size === 0) return;
    const told = [...this.#lost.values()];
    this.#lost.clear();
    this.#sending = this.#send(told.map(({ binding, count }) => noticeOf(binding, count))).catch(
      (error: unknown) => {
        for (const { binding, count } of told) this.lost(binding, count);
        this.#log.limited('notices', 'warn', { error }, 'lost messages could not be told of');
      },
    );
  }

  #send(batch: readonly loggregator.v2.IEnvelope[]): Promise<void> {
    const { path, requestSerialize, responseDeserialize } = ingressService.send;
    const bytes = Buffer.from(EnvelopeBatch.encode({ batch: [...batch] }).finish());
    const deadline = Date.now() + SEND_LIMIT_MS;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        bytes,
        { deadline },
        (error) => (error ? reject(error) : resolve()),
      );
    });
  }
}

/** The original's words: clients look for them. */
function noticeOf({ appId, shownUrl }: DrainBinding, count: number): loggregator.v2.IEnvelope {
  const text = `${count} messages lost for application ${appId} in user provided syslog drain with url ${shownUrl}`;
  return {
    timestamp: Envelope.fromObject({ timestamp: String(nowNanoseconds()) }).timestamp,
    source_id: appId,
    tags: { source_type: 'LGR' },
    log: { payload: Buffer.from(text), type: LogMessage.Type.ERR },
  };
}
