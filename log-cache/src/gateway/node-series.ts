/**
 * The series that one Log Cache node can get, ours or the original's, for PromQL in front of it.
 *
 * One of ours is asked for them; one of the original's is read page by page, and asks whoever owns
 * a source. Without the node there is no answer: a query is refused with the node's own words.
 */

import type { LogCacheClient } from '../client.ts';
import { QueryError } from '../promql/errors.ts';
import type { Pace, Selected, Selection, SeriesSource } from '../promql/series.ts';
import { selectFrom } from '../promql/series-client.ts';
import { isServiceError } from '../refusals.ts';

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
      throw new QueryError('internal', error.details, { cause: error });
    }
  }
}
