/**
 * Tells the agent that a slow consumer was disconnected, as an event that its operators can see.
 *
 * Each goes on a stream of its own that lives for at most a second, as in Loggregator v107.0.21:
 * it is rare, and the log line and the counter stand beside it. Without an agent nothing is sent;
 * what the agent doesn't take is lost, and the log says so.
 */

import { type Client, status as Status } from '@grpc/grpc-js';
import type { Log } from '@standpipe/plumbing';
import { ingressService, loggregator, nowNanoseconds } from '@standpipe/protos';
import type { Peer } from './consumer.ts';

export const EVENT_TITLE: string = 'Traffic Controller has disconnected slow consumer';

const SOURCE_ID = 'traffic_controller';
const SEND_LIMIT_MS = 1000;

/** How agents end a stream that they have read: the original's with `EOF`, or not at all. */
const TAKEN: ReadonlySet<Status> = new Set([Status.UNKNOWN, Status.DEADLINE_EXCEEDED]);

export class SlowConsumerEvents implements Disposable {
  readonly #agent: Client | undefined;
  readonly #log: Log;

  constructor(options: { readonly agent: Client | undefined; readonly log: Log }) {
    this.#agent = options.agent;
    this.#log = options.log;
  }

  send(peer: Peer): void {
    const { remoteAddress, forwardedFor, path } = peer;
    this.#log.warn({ remoteAddress, forwardedFor, path }, 'disconnected a slow consumer');
    if (this.#agent === undefined) return;

    const { path: method, requestSerialize, responseDeserialize } = ingressService.sender;
    const stream = this.#agent.makeClientStreamRequest(
      method,
      requestSerialize,
      responseDeserialize,
      { deadline: Date.now() + SEND_LIMIT_MS },
      (error) => {
        if (error === null || TAKEN.has(error.code)) return;
        const fields = { error: error.message };
        this.#log.limited('event', 'warn', fields, 'the agent did not take an event');
      },
    );
    stream.on('error', () => undefined); // The callback tells.
    stream.write(eventOf(peer));
    stream.end();
  }

  [Symbol.dispose](): void {
    this.#agent?.close();
  }
}

function eventOf(peer: Peer): Buffer {
  const body = [
    `Remote Address: ${peer.remoteAddress}`,
    `X-Forwarded-For: ${peer.forwardedFor}`,
    `Path: ${peer.path}`,
    '',
    'What was sent to this consumer waited too long. It was disconnected, so that it holds up',
    'nobody else. More instances of the same consumer with the same subscription id share the',
    'load; a slow network between it and here has the same effect.',
  ].join('\n');
  const timestamp = loggregator.v2.Envelope.fromObject({ timestamp: String(nowNanoseconds()) });
  return Buffer.from(
    loggregator.v2.Envelope.encode({
      timestamp: timestamp.timestamp,
      source_id: SOURCE_ID,
      event: { title: EVENT_TITLE, body },
    }).finish(),
  );
}
