/**
 * What the read APIs stand on: one interface, whether a node's own store answers or a cluster.
 *
 * The rules and texts are those of log-cache-release v3.2.0: start is included, end is not, and an
 * end of 0 is now; a limit of 0 is 100, and 1000 is the most. A run of equal timestamps is never
 * cut, so an answer may be longer than its limit: a client that goes on at the last timestamp plus
 * one nanosecond misses nothing.
 */

import { status } from '@grpc/grpc-js';
import { Kind, type PackedBatch, splitTime } from '@standpipe/protos';
import { NameFilter, NameFilterError } from './name-filter.ts';
import type { MetaInfo } from './store.ts';

/** What logcache.v1.ReadRequest asks; times are nanoseconds since 1970. */
export interface ReadRequest {
  readonly sourceId: string;
  readonly startTime: bigint;
  readonly endTime: bigint;
  readonly limit: bigint;
  /** Numbers of logcache.v1.EnvelopeType. */
  readonly envelopeTypes: readonly number[];
  readonly descending: boolean;
  /** An RE2 expression; empty for none. */
  readonly nameFilter: string;
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
  read(request: ReadRequest): Promise<ReadResult>;
  /** What is known of each source: of this node's own, or of all. */
  meta(localOnly: boolean): Promise<MetaResult>;
}

/** Why a read has no answer: a gRPC status, and its text. */
export class ReadError extends Error {
  override readonly name = 'ReadError';
  readonly code: status;

  constructor(code: status, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1000;

/** A request as it is carried out. */
export interface Query {
  readonly start: { readonly high: number; readonly low: number };
  readonly end: { readonly high: number; readonly low: number };
  readonly limit: number;
  readonly descending: boolean;
  /** A bit for each kind that is wanted. */
  readonly kinds: number;
  readonly names: NameFilter | undefined;
}

const EVERY_KIND = -1;

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
    kinds: kindsOf(request.envelopeTypes),
    names: request.nameFilter === '' ? undefined : nameFilterOf(request.nameFilter),
  };
}

/** ANY is dropped from a list: alone it is all kinds, beside others it is nothing. */
function kindsOf(envelopeTypes: readonly number[]): number {
  let kinds = 0;
  let isAny = true;
  for (const type of envelopeTypes) {
    if (type === 0) continue;
    isAny = false;
    if (type >= Kind.log && type <= Kind.event) kinds |= 1 << type;
  }
  return isAny ? EVERY_KIND : kinds;
}

function nameFilterOf(pattern: string): NameFilter {
  try {
    return new NameFilter(pattern);
  } catch (error) {
    if (!(error instanceof NameFilterError)) throw error;
    throw refused(`Name filter must be a valid regular expression: ${error.message}`);
  }
}

/** The original's servers return plain errors, which gRPC calls UNKNOWN. */
function refused(message: string): ReadError {
  return new ReadError(status.UNKNOWN, message);
}
