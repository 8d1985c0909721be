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

/** Sources of one query that Cloud Controller is asked about. */
export const QUERY_SOURCES_MAX = 100;

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
  const allowed = async (id: string): Promise<[string, readonly string[]]> => {
    const all = [...(guids.get(id) ?? []), id];
    const answers = await Promise.all(all.map((one) => permissions.mayRead(identity, one)));
    return [id, all.filter((_, index) => answers[index])];
  };
  const meant = new Map(await Promise.all(ids.map(allowed)));
  if ([...meant.values()].some(({ length }) => length === 0)) return undefined;
  return {
    query: withSourceIds(query, (id) => meant.get(id) ?? [id]),
    sources: identity.isAdmin ? undefined : new Set([...meant.values()].flat()),
  };
}
