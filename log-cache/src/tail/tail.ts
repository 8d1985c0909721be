/**
 * What a tail is: the envelopes of a source as they come, from a place on.
 *
 * A place says how far a tail has come with one zone's owner, so that the next one can go on there.
 * Owners count the arrivals of a source that is tailed; the count itself, a run, has a name, since
 * another begins when the node starts anew or has forgotten it.
 */

import type { PackedBatch } from '@standpipe/protos';
import type { ReadRequest } from '../reader.ts';

export interface Place {
  readonly run: string;
  /** Arrivals up to this one have been given, or were not wanted; but see `backlog`. */
  readonly arrival: number;
  /** The latest time of what was given, or when the tail began: where to go on by time alone. */
  readonly time: bigint;
  /** While older envelopes are given: of those up to `arrival`, from this time on they are missing. */
  readonly backlog: bigint | undefined;
}

/**
 * Why something is missing: the reader was slow, the cache has given up what it had not given, or
 * there is nobody who knows the place (the owner has started anew, or is another).
 */
export type GapReason = 'slow' | 'expired' | 'unknown';

export interface Gap {
  readonly reason: GapReason;
  /** How many envelopes; undefined, when nobody knows. */
  readonly count: number | undefined;
  /** The latest time that was given before it. */
  readonly after: bigint;
}

/** What one owner gives at once. */
export interface Chunk {
  readonly batch: PackedBatch;
  /** The place behind the batch; undefined, when it is not behind all that belongs together. */
  readonly place: Place | undefined;
  /** What is missing before the batch. */
  readonly gaps: readonly Gap[];
}

/** What is asked of one owner. End, limit and order of the request are not looked at. */
export interface TailRequest {
  readonly read: ReadRequest;
  /** Whether what is there already is wanted, too, from the request's start on. */
  readonly backlog: boolean;
  readonly after: Place | undefined;
}

/** Ends when it is closed. Rejects with a ReadError when it can't go on. */
export interface Tail extends AsyncIterable<Chunk> {
  close(): void;
}

/** What is asked of a cluster: with a place for each zone. */
export interface ZonesRequest {
  readonly read: ReadRequest;
  readonly backlog: boolean;
  readonly after: ReadonlyMap<string, Place>;
}

/** What a cluster gives: a chunk of one zone's owner, or which nodes are missing. */
export interface ZoneChunk extends Chunk {
  readonly zone: string;
  /** Nodes, as ZONE/INDEX, that can't be reached; set when they are others than before. */
  readonly missing: readonly string[] | undefined;
}

/** Whatever gives tails of sources: a cluster of nodes, or one that stands for it. */
export interface Tails {
  /** Throws a ReadError for a bad request. Ends when `gone` is aborted, or nobody serves any more. */
  tail(request: ZonesRequest, gone: AbortSignal): AsyncIterable<ZoneChunk>;
}
