/**
 * Keeps what runs equal to what is wanted. It holds a slot for each instance that this cell must
 * run; a slot that is no longer wanted stays until its instance has stopped.
 */

import type { App } from './app.ts';
import type { ContainerMetrics } from './container-metrics.ts';
import { type Cell as CellPlace, changeBetween, desiredInstances } from './desired.ts';
import type { CellContext, Instance } from './instance.ts';
import { Slot } from './slot.ts';

export interface CellOptions {
  readonly place: CellPlace;
  readonly context: CellContext;
  readonly measure: ContainerMetrics;
}

export class Cell implements AsyncDisposable {
  readonly #options: CellOptions;
  readonly #slots = new Map<string, Slot>();
  /** The fingerprint of what each slot is to run. Slots that are ending are not in it. */
  readonly #wanted = new Map<string, string>();

  constructor(options: CellOptions) {
    this.#options = options;
  }

  /** How many instances should run. */
  get desired(): number {
    return this.#wanted.size;
  }

  /** What runs now. */
  get instances(): readonly Instance[] {
    return [...this.#slots.values()].flatMap(({ instance }) => instance ?? []);
  }

  /** Starts, stops and replaces instances until these apps run, and no others. */
  apply(apps: readonly App[]): void {
    const { place, context } = this.#options;
    const change = changeBetween(this.#wanted, desiredInstances(apps, place));
    for (const key of change.stop) {
      this.#wanted.delete(key);
      this.#slots.get(key)?.want(undefined);
    }
    for (const { key, app, index, fingerprint } of [...change.start, ...change.replace]) {
      this.#wanted.set(key, fingerprint);
      const slot = this.#slots.get(key);
      if (slot) slot.want(app);
      else this.#slots.set(key, this.#open(key, app, index));
    }
    const { start, stop, replace } = change;
    const facts = { start: start.length, stop: stop.length, replace: replace.length };
    context.log.info({ apps: apps.length, ...facts }, 'the desired instances are known');
  }

  /** Stops all instances. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.apply([]);
    await Promise.all([...this.#slots.values()].map(({ ended }) => ended));
  }

  #open(key: string, app: App, index: number): Slot {
    const { context, measure } = this.#options;
    const onEnd = (): void => void this.#slots.delete(key);
    return new Slot({ app, index, context, measure, onEnd });
  }
}
