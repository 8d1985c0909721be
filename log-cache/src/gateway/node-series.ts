/**
 * The series that one Log Cache node can get, ours or the original's, for PromQL in front of it.
 *
 * One of ours is asked for them, and says which nodes it could not reach; one of the original's is
 * read page by page, asks whoever owns a source, and says nothing of those that are gone. Without the
 * node there is no answer: a query ends with the code and the words that the node, or what keeps one
 * from it, gave; but when the query's time is over, that is told as an engine tells it.
 */

import { status } from '@grpc/grpc-js';
import type { LogCacheClient } from '../client.ts';
import { timedOut } from '../promql/pacer.ts';
import type { Pace, Selected, Selection, SeriesSource } from '../promql/series.ts';
import { selectFrom } from '../promql/series-client.ts';
import { ReadError } from '../read-error.ts';
import { isServiceError, reasonOf } from '../refusals.ts';

export class NodeSeries implements SeriesSource {
  readonly #client: LogCacheClient;

  constructor(client: LogCacheClient) {
    this.#client = client;
  }

  async select(selection: Selection, pace: Pace): Promise<Selected> {
    try {
      return await selectFrom(this.#client, selection, pace, { local: false });
    } catch (error) {
      if (!isServiceError(error)) throw error;
      if (error.code === status.DEADLINE_EXCEEDED) throw timedOut();
      const code = error.code in status ? error.code : status.UNKNOWN;
      throw new ReadError(code, reasonOf(error), { cause: error });
    }
  }
}
