/**
 * Which instances a cell must run, and what has to change for it to run them.
 *
 * Cells share the work by index: of `count` cells, cell `index` runs the instances i of every app
 * with i % count = index. Each cell decides this alone, so cells need not know of each other.
 */

import type { App } from './app.ts';

export interface Cell {
  readonly index: number;
  readonly count: number;
}

export interface DesiredInstance {
  /** Which instance of which app. */
  readonly key: string;
  readonly app: App;
  readonly index: number;
  /** Differs when a running instance has to be replaced for the app to be as described. */
  readonly fingerprint: string;
}

export function desiredInstances(apps: readonly App[], cell: Cell): readonly DesiredInstance[] {
  return apps.flatMap((app) => {
    const { instances, ...lasting } = app;
    const fingerprint = JSON.stringify(lasting);
    const own: DesiredInstance[] = [];
    for (let index = cell.index; index < instances; index += cell.count) {
      own.push({ key: `${app.guid}/${index}`, app, index, fingerprint });
    }
    return own;
  });
}

export interface Change {
  /** Keys of what runs and must not. */
  readonly stop: readonly string[];
  /** What must run and does not. */
  readonly start: readonly DesiredInstance[];
  /** What runs and must run differently. */
  readonly replace: readonly DesiredInstance[];
}

/** What changes, given the fingerprint of each instance that runs, by its key. */
export function changeBetween(
  actual: ReadonlyMap<string, string>,
  desired: readonly DesiredInstance[],
): Change {
  const keys = new Set(desired.map(({ key }) => key));
  return {
    stop: [...actual.keys()].filter((key) => !keys.has(key)),
    start: desired.filter(({ key }) => !actual.has(key)),
    replace: desired.filter(({ key, fingerprint }) => {
      const running = actual.get(key);
      return running !== undefined && running !== fingerprint;
    }),
  };
}
