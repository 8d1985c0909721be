/**
 * What the read APIs stand on: one interface, whether a node's own store answers or a cluster.
 *
 * The rules and texts are those of log-cache-release v3.2.0: start is included, end is not, and an
 * end of 0 is now; a limit of 0 is 100, and 1000 is the most. A run of equal timestamps is never
 * cut, so an answer may be longer than its limit: a client that goes on at the last timestamp plus
 * one nanosecond misses nothing.
 */

import { status } from '@grpc/grpc-js';
import { type PackedBatch, splitTime } from '@standpipe/protos';
import { EnvelopeFilter, type FilterRequest } from './envelope-filter.ts';
import type { MetaInfo } from './meta-info.ts';
import { ReadError } from './read-error.ts';
import type { Until } from './until.ts';

export { ReadError };

/** What logcache.v1.ReadRequest asks; times are nanoseconds since 1970. */
export interface ReadRequest extends FilterRequest {
  readonly sourceId: string;
  readonly startTime: bigint;
  readonly endTime: bigint;
  readonly limit: bigint;
  readonly descending: boolean;
}

export interface ReadResult {
  readonly batch: PackedBatch;
  /** The nodes, as ZONE/INDEX, that should have been in the answer and could not be reached. */
  readonly unreachable: readonly string[];
}

export interface MetaResult {
  readonly sources: ReadonlyMap<string, MetaInfo>;
  readonly unreachable: readonly string[];
}

/** Rejects with a ReadError what a caller asked wrongly, or what nobody could answer. */
export interface Reader {
  /** Gives up, if it takes long, once its asker is gone. What is missing at the deadline is named. */
  read(request: ReadRequest, until?: Until): Promise<ReadResult>;
  /** What is known of each source: of this node's own, or of all. */
  meta(localOnly: boolean): Promise<MetaResult>;
}

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1000;

/** A request as it is carried out. */
export interface Query {
  readonly start: { readonly high: number; readonly low: number };
  readonly end: { readonly high: number; readonly low: number };
  readonly limit: number;
  readonly descending: boolean;
  readonly filter: EnvelopeFilter;
}

/** A request with all fields at their defaults but these. */
export function readRequest(sourceId: string, fields: Partial<ReadRequest> = {}): ReadRequest {
  return {
    sourceId,
    startTime: 0n,
    endTime: 0n,
    limit: 0n,
    envelopeTypes: [],
    descending: false,
    nameFilter: '',
    contains: '',
    matches: '',
    tags: [],
    ...fields,
  };
}

/** Checks a request, in the original's order, and settles its defaults. Throws a ReadError. */
export function queryOf(request: ReadRequest, now: bigint): Query {
  const { startTime, endTime, limit } = request;
  if (endTime !== 0n && startTime > endTime) {
    throw refused(`StartTime (${startTime}) must be before EndTime (${endTime})`);
  }
  if (limit > LIMIT_MAX) throw refused(`Limit (${limit}) must be ${LIMIT_MAX} or less`);
  if (limit < 0) throw refused(`Limit (${limit}) must be greater than zero`);
  return {
    start: splitTime(startTime),
    end: splitTime(endTime === 0n ? now : endTime),
    limit: limit === 0n ? LIMIT_DEFAULT : Number(limit),
    descending: request.descending,
    filter: new EnvelopeFilter(request),
  };
}

/** The original's servers return plain errors, which gRPC calls UNKNOWN. */
function refused(message: string): ReadError {
  return new ReadError(status.UNKNOWN, message);
}
