/**
 * Keeps the bytes of an answer to meta as long as the answer itself.
 *
 * Readers give the same map to all who ask within a second (cluster.ts). To write that of a hundred
 * thousand sources holds a node up for a quarter of a second and more, so it is written once.
 */

import type { MetaInfo } from './meta-info.ts';

type Sources = ReadonlyMap<string, MetaInfo>;

/** `write`, but for a map that it has written already. */
export function writtenOnce(write: (sources: Sources) => Buffer): (sources: Sources) => Buffer {
  const written = new WeakMap<Sources, Buffer>();
  return (sources) => {
    const known = written.get(sources);
    if (known !== undefined) return known;
    const bytes = write(sources);
    written.set(sources, bytes);
    return bytes;
  };
}
