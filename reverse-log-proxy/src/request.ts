/**
 * What a reader asks for: the checks of Loggregator v107.0.21, in its order and with its words.
 *
 * `legacy_selector` counts as the only selector when there are no others; the Dopplers are never
 * told of it. Neither are they told the tag preference: it is met here, for each reader.
 */

import { loggregator } from '@standpipe/protos';

const { EgressBatchRequest } = loggregator.v2;

/** A reader's request that will not be served. */
export class RequestError extends Error {
  /** Whether it could not even be read. */
  readonly isMalformed: boolean;

  constructor(message: string, options: { readonly isMalformed?: boolean } & ErrorOptions = {}) {
    super(message, options);
    this.name = 'RequestError';
    this.isMalformed = options.isMalformed === true;
  }
}

export interface ReaderRequest {
  /** As the Dopplers are sent it: an encoded EgressBatchRequest. */
  readonly upstream: Buffer;
  readonly usePreferredTags: boolean;
  /** Whether it wants batches, or each envelope by itself. */
  readonly isBatched: boolean;
  readonly shardId: string;
  /** The selectors in words, for the log. */
  readonly selectors: string;
}

/**
 * Reads an EgressRequest or EgressBatchRequest, which have the same fields. The unbatched door of
 * the original forgets `deterministic_name`, and so does this one: were it to go on from here only,
 * the Dopplers would count members with a name that a proxy beside this one does not give.
 */
export function readRequest(bytes: Buffer, isBatched: boolean): ReaderRequest {
  const request = decode(bytes);
  const given = request.selectors ?? [];
  const legacy = request.legacy_selector;
  const selectors = given.length > 0 || !legacy ? given : [legacy];
  if (selectors.length === 0) throw new RequestError('Selectors cannot be empty');
  if (!selectors.every(hasKind)) throw new RequestError('Selectors must have a Message');

  const shardId = request.shard_id ?? '';
  const usePreferredTags = request.use_preferred_tags === true;
  const deterministicName = isBatched ? request.deterministic_name : '';
  // What is not set is left out, as Go does.
  const upstream = EgressBatchRequest.encode({
    ...(shardId && { shard_id: shardId }),
    selectors,
    ...(usePreferredTags && { use_preferred_tags: true }),
    ...(deterministicName && { deterministic_name: deterministicName }),
  }).finish();
  return {
    upstream: Buffer.from(upstream),
    usePreferredTags,
    isBatched,
    shardId,
    selectors: describe(selectors),
  };
}

type Selector = loggregator.v2.ISelector;

function decode(bytes: Buffer): loggregator.v2.IEgressBatchRequest {
  try {
    return EgressBatchRequest.decode(bytes);
  } catch (error) {
    throw new RequestError('the request cannot be read', { isMalformed: true, cause: error });
  }
}

const KINDS = ['log', 'counter', 'gauge', 'timer', 'event'] as const;

function hasKind(selector: Selector): boolean {
  return KINDS.some((kind) => selector[kind] != null);
}

const DESCRIBED_MAX = 3;

function describe(selectors: readonly Selector[]): string {
  const words = selectors.slice(0, DESCRIBED_MAX).map((selector) => {
    const kind = KINDS.find((name) => selector[name] != null) ?? 'nothing';
    return `${kind} of ${selector.source_id || 'any source'}`;
  });
  const more = selectors.length - words.length;
  return words.join(', ') + (more > 0 ? ` and ${more} more` : '');
}
