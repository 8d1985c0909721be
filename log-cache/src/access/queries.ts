/**
 * PromQL for those who may not read everything: which sources a query asks for, and the query that
 * asks for those that are meant and allowed.
 *
 * An app may go by its name: the name is replaced by the GUIDs of all apps of that name, and itself.
 */

import { withSourceIds } from '../promql/sources.ts';
import type { Permissions } from './permissions.ts';
import type { Identity } from './tokens.ts';

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export interface AllowedQuery {
  readonly query: string;
  /** The only sources that it is about; undefined is all. */
  readonly sources: ReadonlySet<string> | undefined;
}

export interface QueryAccess {
  readonly permissions: Permissions;
}

export interface AskedQuery {
  readonly identity: Identity;
  readonly query: string;
  /** The ids in it. */
  readonly ids: readonly string[];
}

/** The query as this reader may ask it; undefined, if nothing remains for one of its ids. */
export async function allowedQuery(
  { permissions }: QueryAccess,
  { identity, query, ids }: AskedQuery,
): Promise<AllowedQuery | undefined> {
  const names = ids.filter((id) => !GUID.test(id));
  const guids = await permissions.guidsByName(identity, names);
  const all = new Set([...ids, ...[...guids.values()].flat()]);
  const readable = await permissions.readableOf(identity, [...all]);
  const meant = new Map<string, readonly string[]>();
  for (const id of ids) {
    const some = [...(guids.get(id) ?? []), id].filter((one) => readable.has(one));
    if (some.length === 0) return undefined;
    meant.set(id, some);
  }
  return {
    query: withSourceIds(query, (id) => meant.get(id) ?? [id]),
    sources: identity.isAdmin ? undefined : new Set([...meant.values()].flat()),
  };
}
