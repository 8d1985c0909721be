/** The tails of this node's own store, in the form that a cluster's have. */

import type { TailHub } from './hub.ts';
import type { Tails, ZoneChunk, ZonesRequest } from './tail.ts';

/** A node asks another for one owner's part, under no zone's name. */
export const NO_ZONE = '';

export class LocalTails implements Tails {
  readonly #hub: TailHub;

  constructor(hub: TailHub) {
    this.#hub = hub;
  }

  async *tail({ after, ...request }: ZonesRequest, gone: AbortSignal): AsyncGenerator<ZoneChunk> {
    const tail = this.#hub.open({ ...request, after: after.get(NO_ZONE) });
    const close = (): void => tail.close();
    if (gone.aborted) close();
    gone.addEventListener('abort', close, { once: true });
    try {
      for await (const chunk of tail) yield { ...chunk, zone: NO_ZONE, missing: undefined };
    } finally {
      gone.removeEventListener('abort', close);
    }
  }
}
