/**
 * The `id` of a tail's events: how far it has come in each zone, so that `Last-Event-ID` goes on there.
 *
 *     az1~RUN~ARRIVAL~TIME,az2~RUN~ARRIVAL~TIME~BACKLOG
 *
 * Readers send back what they got, and need not know what it means.
 */

import { status } from '@grpc/grpc-js';
import { ReadError } from '../read-error.ts';
import type { Place } from '../tail/tail.ts';

const PLACE = /^([^~,]*)~([\w-]{1,64})~(\d{1,15})~(-?\d{1,19})(?:~(-?\d{1,19}))?$/;
const ZONES_MAX = 100;

export function eventId(places: ReadonlyMap<string, Place>): string {
  return [...places]
    .map(([zone, { run, arrival, time, backlog }]) => {
      const parts = [encodeURIComponent(zone).replaceAll('~', '%7E'), run, arrival, time];
      return (backlog === undefined ? parts : [...parts, backlog]).join('~');
    })
    .join(',');
}

/** The places that an id means; none, for an empty one. Throws a ReadError for what is no id. */
export function placesOf(id: string): Map<string, Place> {
  const places = new Map<string, Place>();
  const parts = id === '' ? [] : id.split(',', ZONES_MAX);
  for (const part of parts) {
    const [, zone, run, arrival, time, backlog] = PLACE.exec(part) ?? [];
    const name = zone === undefined ? undefined : decoded(zone);
    if (name === undefined || run === undefined || time === undefined) {
      throw new ReadError(status.INVALID_ARGUMENT, 'Last-Event-ID is not an id of this API');
    }
    places.set(name, {
      run,
      arrival: Number(arrival),
      time: BigInt.asIntN(64, BigInt(time)),
      backlog: backlog === undefined ? undefined : BigInt.asIntN(64, BigInt(backlog)),
    });
  }
  return places;
}

function decoded(zone: string): string | undefined {
  try {
    return decodeURIComponent(zone);
  } catch {
    return undefined; // Broken escapes: no id of ours.
  }
}
