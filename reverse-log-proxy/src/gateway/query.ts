/**
 * The query of `GET /v2/read` as an EgressBatchRequest, by the rules of Loggregator v107.0.21.
 *
 *     log counter gauge timer event   a kind by its presence; what it is set to says nothing
 *     source_id                       any number of them; none is every source
 *     counter.name                    a selector for each, instead of the plain one for counters
 *     gauge.name                      the same; commas make a set of names that must fit exactly
 *     shard_id deterministic_name     the first of each
 */

import { loggregator } from '@standpipe/protos';

const { EgressBatchRequest } = loggregator.v2;
type Selector = loggregator.v2.ISelector;

/** What a query lacks, in the original's words. */
export const EMPTY_QUERY = { message: 'query cannot be empty', error: 'empty_query' } as const;
export const NO_KIND = {
  message: 'query must provide at least one envelope type',
  error: 'missing_envelope_type',
} as const;

/** Reads a query as Go does, which passes over a pair with a semicolon or a bad escape. */
export function parseQuery(query: string): URLSearchParams {
  const pairs = query.split('&').filter((pair) => !/;|%(?![0-9a-f]{2})/i.test(pair));
  return new URLSearchParams(pairs.join('&'));
}

/** The encoded request, or what the query lacks. */
export function readRequest(query: URLSearchParams): Buffer | typeof EMPTY_QUERY | typeof NO_KIND {
  if (query.size === 0) return EMPTY_QUERY;
  const kinds = kindsOf(query);
  if (kinds.length === 0) return NO_KIND;
  const sources = query.has('source_id') ? query.getAll('source_id') : [''];
  const shardId = query.get('shard_id');
  const deterministicName = query.get('deterministic_name');
  // What is not set is left out, as Go does.
  const request = EgressBatchRequest.encode({
    ...(shardId && { shard_id: shardId }),
    use_preferred_tags: true,
    selectors: sources.flatMap((source_id) =>
      kinds.map((kind) => ({ ...(source_id && { source_id }), ...kind })),
    ),
    ...(deterministicName && { deterministic_name: deterministicName }),
  });
  return Buffer.from(request.finish());
}

/** What is selected of each source. */
function kindsOf(query: URLSearchParams): readonly Selector[] {
  const kinds: Selector[] = [];
  const counters = query.getAll('counter.name');
  const gauges = query.getAll('gauge.name');
  if (query.has('log')) kinds.push({ log: {} });
  for (const name of counters) kinds.push({ counter: name === '' ? {} : { name } });
  if (query.has('counter') && counters.length === 0) kinds.push({ counter: {} });
  for (const names of gauges) kinds.push({ gauge: { names: names.split(',') } });
  if (query.has('gauge') && gauges.length === 0) kinds.push({ gauge: {} });
  if (query.has('timer')) kinds.push({ timer: {} });
  if (query.has('event')) kinds.push({ event: {} });
  return kinds;
}
