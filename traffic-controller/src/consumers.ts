/**
 * All websocket consumers of this process, and the one timer that looks after them.
 *
 * There may be `maxConsumers` of them; the next one is refused, and counted. The timer goes every
 * TICK_MS while the process lives and asks each consumer to look at the time, so a limit in time
 * is exceeded by at most one tick, and thousands of consumers need no timer each. After a tick that
 * comes much too late nobody is judged: then it was this process that stood still, and what its
 * clients did meanwhile has still to be read.
 */

import type { Clock } from '@standpipe/plumbing';
import type { Consumer } from './consumer.ts';
import type { DoorName } from './metrics.ts';

const TICK_MS = 250;

/** A tick that comes this much later than it should says that the process stood still. */
const STALL_MS = 1000;

/** What of a consumer is looked after. */
export type Guest = Pick<Consumer, 'peer' | 'gone' | 'tick' | 'drain' | 'cut'>;

export interface ConsumersOptions {
  readonly maxConsumers: number;
  readonly clock: Clock;
  /** How long what waits may take to be sent, and close frames to be answered, at the end. */
  readonly drainMs: number;
}

export class Consumers implements AsyncDisposable {
  readonly #consumers = new Set<Guest>();
  readonly #maxConsumers: number;
  readonly #clock: Clock;
  readonly #drainMs: number;
  readonly #stop = new AbortController();
  readonly #ticking: Promise<void>;
  #closing = false;
  readonly #open: Record<DoorName, number> = { firehose: 0, stream: 0 };

  constructor(options: ConsumersOptions) {
    this.#maxConsumers = options.maxConsumers;
    this.#clock = options.clock;
    this.#drainMs = options.drainMs;
    this.#ticking = this.#tick();
  }

  /** Whether there is no room for another, or no time, since this process is ending. */
  get full(): boolean {
    return this.#closing || this.#consumers.size >= this.#maxConsumers;
  }

  /** How many came by a door and are still here. */
  count(door: DoorName): number {
    return this.#open[door];
  }

  /** Looks after a consumer until it is gone. */
  add(consumer: Guest): void {
    const { door } = consumer.peer;
    this.#consumers.add(consumer);
    this.#open[door] += 1;
    void consumer.gone.then(() => {
      this.#consumers.delete(consumer);
      this.#open[door] -= 1;
    });
  }

  /** Lets every consumer have what waits for it and a close frame, and cuts who takes too long. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    const all = [...this.#consumers];
    for (const consumer of all) consumer.drain();
    const gone = Promise.all(all.map((consumer) => consumer.gone));

    const patience = new AbortController();
    const late = this.#clock.sleep(this.#drainMs, patience.signal).then(() => {
      for (const consumer of this.#consumers) consumer.cut();
    });
    await gone;
    patience.abort();
    await late;

    this.#stop.abort();
    await this.#ticking;
  }

  async #tick(): Promise<void> {
    let stalled = false;
    while (!this.#stop.signal.aborted) {
      const dueAtMs = this.#clock.now() + TICK_MS;
      await this.#clock.sleep(TICK_MS, this.#stop.signal);
      stalled = !stalled && this.#clock.now() - dueAtMs >= STALL_MS; // Not twice in a row.
      if (stalled) continue;
      for (const consumer of this.#consumers) consumer.tick();
    }
  }
}
