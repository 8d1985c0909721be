/**
 * Reads through one Log Cache node, ours or the original's, which asks whoever owns a source.
 *
 * What the node says is passed on: its refusals as they are, and that it can't be reached as
 * UNAVAILABLE.
 */

import { status } from '@grpc/grpc-js';
import type { LogCacheClient } from '../client.ts';
import { ReadError } from '../read-error.ts';
import type { MetaResult, Reader, ReadRequest, ReadResult } from '../reader.ts';
import { isServiceError } from '../refusals.ts';

export class NodeReader implements Reader {
  readonly #client: LogCacheClient;

  constructor(client: LogCacheClient) {
    this.#client = client;
  }

  async read(request: ReadRequest): Promise<ReadResult> {
    const batch = await passedOn(this.#client.read(request, { local: false }));
    return { batch, unreachable: [] };
  }

  async meta(localOnly: boolean): Promise<MetaResult> {
    return { sources: await passedOn(this.#client.meta(localOnly)), unreachable: [] };
  }
}

async function passedOn<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!isServiceError(error)) throw error;
    const code = error.code in status ? error.code : status.UNKNOWN;
    throw new ReadError(code, error.details, { cause: error });
  }
}
