/**
 * Tells the agent that a slow consumer was disconnected, as an event that its operators can see.
 * Without an agent, or when it does not take the event, the log line and the counter remain.
 */

import type { AgentEvents } from '@standpipe/metric-emitter';
import type { Log } from '@standpipe/plumbing';
import type { Peer } from './consumer.ts';

export const EVENT_TITLE: string = 'Traffic Controller has disconnected slow consumer';

export class SlowConsumerEvents {
  readonly #agentEvents: AgentEvents;
  readonly #log: Log;

  constructor(options: { readonly agentEvents: AgentEvents; readonly log: Log }) {
    this.#agentEvents = options.agentEvents;
    this.#log = options.log;
  }

  send({ remoteAddress, forwardedFor, path }: Peer): void {
    this.#log.warn({ remoteAddress, forwardedFor, path }, 'disconnected a slow consumer');
    const body = [
      `Remote Address: ${remoteAddress}`,
      `X-Forwarded-For: ${forwardedFor}`,
      `Path: ${path}`,
      '',
      'What was sent to this consumer waited too long. It was disconnected, so that it holds up',
      'nobody else. More instances of the same consumer with the same subscription id share the',
      'load; a slow network between it and here has the same effect.',
    ].join('\n');
    this.#agentEvents.send({ title: EVENT_TITLE, body });
  }
}
