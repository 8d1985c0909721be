/**
 * Puts together what several nodes know of their sources: one may have a share in each zone.
 *
 * There may be hundreds of thousands of sources, so it is done in slices, between which others are
 * served.
 */

import { type MetaInfo, sumOf } from './meta-info.ts';
import { Slice } from './slice.ts';
import type { Turns } from './turns.ts';

export async function mergeMeta(
  maps: readonly ReadonlyMap<string, MetaInfo>[],
  turns: Turns,
): Promise<ReadonlyMap<string, MetaInfo>> {
  const [only] = maps;
  if (only && maps.length === 1) return only;
  const merged = new Map<string, MetaInfo>();
  const slice = new Slice();
  slice.begin();
  for (const map of maps) {
    for (const [id, info] of map) {
      const other = merged.get(id);
      merged.set(id, other ? sumOf(other, info) : info);
      if (!slice.isOver(0)) continue;
      await turns.next();
      slice.begin();
    }
  }
  return merged;
}
