/**
 * Keeps the bytes of an answer to meta as long as the answer itself.
 *
 * Readers give the same map to all who ask within a second (cached.ts), so it is written once. That
 * of a hundred thousand sources takes a while, so it is written in slices of a few milliseconds.
 */

import { setImmediate as nextRound } from 'node:timers/promises';
import type { MetaInfo } from './meta-info.ts';
import { Slice } from './slice.ts';

type Sources = ReadonlyMap<string, MetaInfo>;

/** Writes all that is known; nobody changes the map meanwhile. */
export type WriteMeta = (sources: Sources) => Promise<Buffer>;

/** Calls `write` for each, in slices between which others are served. */
export async function writeInSlices<T>(all: Iterable<T>, write: (one: T) => void): Promise<void> {
  const slice = new Slice();
  slice.begin();
  for (const one of all) {
    write(one);
    if (!slice.isOver(0)) continue;
    await nextRound();
    slice.begin();
  }
}

/** `write`, but for a map that it has written already. */
export function writtenOnce(write: WriteMeta): WriteMeta {
  const written = new WeakMap<Sources, Promise<Buffer>>();
  return (sources) => {
    const known = written.get(sources);
    if (known !== undefined) return known;
    const bytes = write(sources);
    written.set(sources, bytes);
    return bytes;
  };
}
