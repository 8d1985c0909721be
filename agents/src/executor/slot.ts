/**
 * A place in a cell for one instance of one app, and the loop that keeps it filled.
 *
 *     start ──▶ running ──ended──▶ wait 1 s, 2 s, … 30 s ──▶ start
 *                  └──wanted differently──▶ stop ──▶ start, or leave
 *
 * An instance that ends by itself has crashed, whatever its status, and is started again. The
 * waits are longer each time, up to 30 s, and begin anew when it has run for a minute.
 */

import { Backoff } from '@standpipe/plumbing';
import type { App } from './app.ts';
import type { ContainerMetrics } from './container-metrics.ts';
import { type CellContext, type Exit, Instance, InstanceError } from './instance.ts';
import { sourceTypeOf } from './instance-log.ts';

const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_MAX_MS = 30_000;
const STABLE_AFTER_MS = 60_000;

export interface SlotOptions {
  readonly app: App;
  readonly index: number;
  readonly context: CellContext;
  readonly measure: ContainerMetrics;
  /** Called when the slot is empty, and will not be filled again. */
  readonly onEnd: () => void;
}

export class Slot {
  readonly ended: Promise<void>;
  readonly #options: SlotOptions;
  #wanted: App | undefined;
  #changed = new AbortController();
  #instance: Instance | undefined;

  constructor(options: SlotOptions) {
    this.#options = options;
    this.#wanted = options.app;
    this.ended = this.#run();
  }

  /** What runs in it now. */
  get instance(): Instance | undefined {
    return this.#instance;
  }

  /** Replaces what runs in it; or ends it, if nothing is wanted. */
  want(app: App | undefined): void {
    this.#wanted = app;
    this.#changed.abort();
  }

  async #run(): Promise<void> {
    for (let app = this.#wanted; app; app = this.#wanted) {
      this.#changed = new AbortController();
      await this.#keepRunning(app, this.#changed.signal);
    }
    this.#options.onEnd();
  }

  async #keepRunning(app: App, changed: AbortSignal): Promise<void> {
    const { context, index } = this.#options;
    const backoff = new Backoff({ firstMs: BACKOFF_FIRST_MS, maxMs: BACKOFF_MAX_MS });
    while (!changed.aborted) {
      const instance = await this.#start(app);
      const exit = instance && (await this.#ended(instance, changed));
      if (changed.aborted) return;

      context.metrics.crashes.add(1);
      if (exit && exit.ranMs >= STABLE_AFTER_MS) backoff.reset();
      const waitMs = backoff.next();
      const again = `starting it again in ${(waitMs / 1000).toFixed(1)} s`;
      const reason = exit ? `${sourceTypeOf(app)}: ${exit.reason}` : 'could not be started';
      instance?.log.cell(`Instance ${index} crashed, ${again}: ${reason}`);
      context.log.warn({ app: app.name, index, reason }, `an instance crashed, ${again}`);
      await context.clock.sleep(waitMs, changed);
    }
  }

  async #start(app: App): Promise<Instance | undefined> {
    const { context, index } = this.#options;
    try {
      return await Instance.start(app, index, context);
    } catch (error) {
      if (!(error instanceof InstanceError)) throw error;
      context.log.error({ app: app.name, index, error }, 'an instance cannot be started');
      return undefined;
    }
  }

  /** Waits for its end; brings it about, when something else is wanted. */
  async #ended(instance: Instance, changed: AbortSignal): Promise<Exit> {
    const { measure } = this.#options;
    const stop = (): void => void instance.stop();
    this.#instance = instance;
    measure.add(instance);
    changed.addEventListener('abort', stop);
    if (changed.aborted) stop();
    const exit = await instance.ended;
    changed.removeEventListener('abort', stop);
    measure.remove(instance);
    this.#instance = undefined;
    return exit;
  }
}
