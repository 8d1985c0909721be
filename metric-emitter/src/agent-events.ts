/**
 * Sends single events to the agent, each on a `Sender` stream of its own that lives for at most a
 * second, as in Loggregator v107.0.21: they are rare, and nothing may wait for them.
 *
 * What the agent does not take, and what is one too many at a time, is lost, and counted as
 * `events_dropped`. An event costs a stream, and the first one a connection.
 */

import { type Client, type ServiceError, status as Status } from '@grpc/grpc-js';
import type { Counter, Log, Metrics } from '@standpipe/plumbing';
import { ingressService } from '@standpipe/protos';
import { type Agent, dialAgent } from './agent.ts';
import { eventEnvelope } from './self-metric.ts';

const SEND_LIMIT_MS = 1000;

/** Events on their way at a time. */
const SENDING_MAX = 100;

export interface AgentEventsOptions {
  readonly agent: Agent;
  readonly sourceId: string;
  readonly metrics: Metrics;
  readonly log: Log;
}

export class AgentEvents implements Disposable {
  readonly #client: Client | undefined;
  readonly #sourceId: string;
  readonly #dropped: Counter;
  readonly #log: Log;
  #sending = 0;

  constructor({ agent, sourceId, metrics, log }: AgentEventsOptions) {
    this.#client = agent.address === '' ? undefined : dialAgent(agent);
    this.#sourceId = sourceId;
    this.#dropped = metrics.counter('events_dropped', 'Events that the agent did not take.');
    this.#log = log;
  }

  /** Sends an event, and does not wait for it. */
  send(event: { readonly title: string; readonly body: string }): void {
    if (this.#client === undefined) return;
    if (this.#sending >= SENDING_MAX) {
      this.#drop('too many at a time');
      return;
    }
    this.#sending += 1;
    let isTaken = false;
    const { path, requestSerialize, responseDeserialize } = ingressService.sender;
    const stream = this.#client.makeClientStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      { deadline: Date.now() + SEND_LIMIT_MS },
      (error) => {
        this.#sending -= 1;
        if (!wasRead(error, isTaken)) this.#drop(error?.message ?? '');
      },
    );
    stream.on('error', () => undefined); // The callback tells.
    stream.write(eventEnvelope(this.#sourceId, event), () => {
      isTaken = true;
    });
    stream.end();
  }

  [Symbol.dispose](): void {
    this.#client?.close();
  }

  #drop(error: string): void {
    this.#dropped.add(1);
    this.#log.limited('event', 'warn', { error }, 'the agent did not take an event');
  }
}

/** Agents answer what they have read with `EOF`, with OK, or not at all. */
function wasRead(error: ServiceError | null, isTaken: boolean): boolean {
  if (error === null || error.details === 'EOF') return true;
  return error.code === Status.DEADLINE_EXCEEDED && isTaken;
}
