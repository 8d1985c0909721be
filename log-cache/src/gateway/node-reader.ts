/**
 * Reads through one Log Cache node, ours or the original's, which asks whoever owns a source.
 *
 * What the node says is passed on: its refusals as they are, that it can't be reached as
 * UNAVAILABLE, and which nodes it could not ask. `contains`, `matches` and `tag` are unknown to the
 * original's, whose answers are filtered here (paged-search.ts); what lies beyond the pages that are
 * looked through is said to be missing at that node, by its address.
 */

import { status } from '@grpc/grpc-js';
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
}

export class NodeReader implements Reader {
  readonly #client: Pick<LogCacheClient, 'ask' | 'meta'>;
  readonly #address: string;

  constructor({ client, address }: NodeReaderOptions) {
    this.#client = client;
    this.#address = address;
  }

  async read(request: ReadRequest, until: Until = {}): Promise<ReadResult> {
    const answer = await passedOn(readFrom(this.#client, request, { ...until, local: false }));
    const { batch, isWhole, unreachable } = answer;
    return { batch, unreachable: isWhole ? unreachable : [...unreachable, this.#address] };
  }

  meta(localOnly: boolean): Promise<MetaResult> {
    return passedOn(this.#client.meta(localOnly));
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
