/**
 * Reads through one Log Cache node, ours or the original's, which asks whoever owns a source.
 *
 * What the node says is passed on: its refusals as they are, that it can't be reached as
 * UNAVAILABLE, and which nodes it could not ask. `contains`, `matches` and `tag` are unknown to the
 * original's, whose answers are filtered here (paged-search.ts); what lies beyond the pages that are
 * looked through is said to be missing at that node, by its address. The node's answer to meta is kept
 * for a second.
 */

import { status } from '@grpc/grpc-js';
import { Cached } from '../cached.ts';
import type { LogCacheClient } from '../client.ts';
import { MalformedError } from '../messages.ts';
import { readFrom } from '../paged-search.ts';
import { ReadError } from '../read-error.ts';
import type { MetaResult, Reader, ReadRequest, ReadResult } from '../reader.ts';
import { isServiceError, reasonOf } from '../refusals.ts';
import type { Until } from '../until.ts';

export interface NodeReaderOptions {
  readonly client: Pick<LogCacheClient, 'ask' | 'meta'>;
  readonly address: string;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
}

export class NodeReader implements Reader {
  readonly #client: Pick<LogCacheClient, 'ask' | 'meta'>;
  readonly #address: string;
  readonly #localMeta: Cached<MetaResult>;
  readonly #clusterMeta: Cached<MetaResult>;

  constructor({ client, address, now = Date.now }: NodeReaderOptions) {
    this.#client = client;
    this.#address = address;
    this.#localMeta = new Cached(() => passedOn(client.meta(true)), now);
    this.#clusterMeta = new Cached(() => passedOn(client.meta(false)), now);
  }

  async read(request: ReadRequest, until: Until = {}): Promise<ReadResult> {
    const answer = await passedOn(readFrom(this.#client, request, { ...until, local: false }));
    const { batch, isWhole, unreachable } = answer;
    return { batch, unreachable: isWhole ? unreachable : [...unreachable, this.#address] };
  }

  meta(localOnly: boolean): Promise<MetaResult> {
    return (localOnly ? this.#localMeta : this.#clusterMeta).get();
  }
}

async function passedOn<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof MalformedError) {
      throw new ReadError(status.INTERNAL, error.message, { cause: error });
    }
    if (!isServiceError(error)) throw error;
    const code = error.code in status ? error.code : status.UNKNOWN;
    throw new ReadError(code, reasonOf(error), { cause: error });
  }
}
