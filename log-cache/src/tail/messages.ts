/**
 * The messages of standpipe.v1.Tails, with the batches in them left as the bytes they are.
 *
 * What can't be read throws a MalformedError.
 */

import { Batch, FieldReader, logcache, PackedBatch, scanBatch, standpipe } from '@standpipe/protos';
import {
  decode,
  framed,
  int64,
  MalformedError,
  readRequestMessage,
  readRequestOf,
} from '../messages.ts';
import type { Gap, GapReason, Place, ZoneChunk, ZonesRequest } from './tail.ts';

const { TailRequest, TailResponse } = standpipe.v1;

export function encodeTailRequest({ read, backlog, after }: ZonesRequest): Buffer {
  const message = TailRequest.fromObject({
    backlog,
    after: [...after].map(([zone, place]) => placeMessage(zone, place)),
  });
  message.read = readRequestMessage(read);
  return Buffer.from(TailRequest.encode(message).finish());
}

export function decodeTailRequest(bytes: Buffer): ZonesRequest {
  const { read, backlog, after } = decode(() => TailRequest.decode(bytes));
  return {
    read: readRequestOf(logcache.v1.ReadRequest.create(read ?? {})),
    backlog,
    after: new Map(after.map((place) => [place.zone ?? '', placeOf(place)])),
  };
}

export function encodeTailResponse({ zone, batch, place, gaps, missing }: ZoneChunk): Buffer {
  const message = TailResponse.fromObject({
    ...(place && { place: placeMessage(zone, place) }),
    gaps: gaps.map((gap) => ({
      zone,
      reason: gap.reason,
      after: String(gap.after),
      ...(gap.count !== undefined && { count: gap.count }),
    })),
    ...(missing && { missing: { nodes: [...missing] } }),
  });
  return framed(batch.bytes, Buffer.from(TailResponse.encode(message).finish()));
}

export function decodeTailResponse(bytes: Buffer): ZoneChunk {
  const { envelopes, rest } = divided(bytes);
  const batch = new Batch();
  if (!scanBatch(envelopes, batch)) throw new MalformedError(batch.mistake);
  const { place, gaps, missing } = decode(() => TailResponse.decode(rest));
  return {
    zone: place?.zone ?? gaps[0]?.zone ?? '',
    batch: new PackedBatch(envelopes, batch.count),
    place: place ? placeOf(place) : undefined,
    gaps: gaps.map(gapOf),
    missing: missing?.nodes ?? undefined,
  };
}

function placeMessage(zone: string, { run, arrival, time, backlog }: Place): object {
  const place = { zone, run, arrival, time: String(time) };
  return backlog === undefined ? place : { ...place, backlog: String(backlog) };
}

function placeOf(message: standpipe.v1.IPlace): Place {
  const { backlog } = message;
  return {
    run: message.run ?? '',
    arrival: Number(int64(message.arrival ?? 0)),
    time: int64(message.time ?? 0),
    backlog: backlog === undefined || backlog === null ? undefined : int64(backlog),
  };
}

function gapOf({ reason, count, after }: standpipe.v1.IGap): Gap {
  return {
    // Of a node that is newer than this one, it may be a word that is not known here.
    reason: (reason ?? 'unknown') as GapReason,
    count: count === undefined || count === null ? undefined : Number(int64(count)),
    after: int64(after ?? 0),
  };
}

/** Field 1, which is a batch, and all the others. */
function divided(bytes: Buffer): { readonly envelopes: Buffer; readonly rest: Buffer } {
  const batches: Buffer[] = [];
  const rest: Buffer[] = [];
  const fields = new FieldReader();
  for (fields.over(bytes, 0, bytes.length); fields.next(); ) {
    if (fields.field === 1 && fields.wireType === 2) {
      batches.push(bytes.subarray(fields.start, fields.end));
    } else rest.push(bytes.subarray(fields.tagStart, fields.end));
  }
  return { envelopes: joined(batches), rest: joined(rest) };
}

function joined(parts: readonly Buffer[]): Buffer {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}
