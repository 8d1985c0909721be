/**
 * What a websocket path asks of the Dopplers.
 *
 *     /firehose/:id        everything, shared between all who use the same id
 *                          ?filter-type=logs | metrics takes only these
 *     /apps/:guid/stream   one app, whole for everybody who asks
 *
 * Any text is a subscription id, and nobody owns one: two teams that use the same id share what
 * comes between them, unless their filters differ.
 */

import { plumbing } from '@standpipe/protos';
import type { DoorName } from './metrics.ts';

export interface Door {
  readonly name: DoorName;
  /** The subscription id, or the app's GUID. */
  readonly id: string;
  /** An encoded SubscriptionRequest. */
  readonly request: Buffer;
}

/** The door that a decoded path leads to; undefined, if it is none of the two. */
export function doorOf(path: string, query: string): Door | undefined {
  const parts = path.split('/');
  const [root, kind, id = '', leaf] = parts;
  if (root !== '' || id === '') return undefined;
  if (kind === 'firehose' && parts.length === 3) {
    return { name: 'firehose', id, request: encode({ shardID: id, ...filterOf(query) }) };
  }
  if (kind === 'apps' && leaf === 'stream' && parts.length === 4) {
    return { name: 'stream', id, request: encode({ filter: { appID: id } }) };
  }
  return undefined;
}

function filterOf(query: string): { readonly filter?: plumbing.IFilter } {
  switch (new URLSearchParams(query).get('filter-type')) {
    case 'logs':
      return { filter: { log: {} } };
    case 'metrics':
      return { filter: { metric: {} } };
    default:
      return {};
  }
}

function encode(request: plumbing.ISubscriptionRequest): Buffer {
  return Buffer.from(plumbing.SubscriptionRequest.encode(request).finish());
}
