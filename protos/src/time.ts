/**
 * How 64-bit nanoseconds are held; the only file that knows.
 *
 * Every timestamp exceeds 2^53, so a number cannot hold one. In columns a time is two 32-bit
 * words (the scan makes them without allocating, and comparing them costs two integer compares);
 * at the edges it is a BigInt. time.bench.ts compares the forms.
 */

const MILLISECOND = 1_000_000n;

/** From here on the two clocks have come apart: the machine slept, or its time was set. */
const APART = 1_000n * MILLISECOND;

/**
 * Says what time it is, in nanoseconds since 1970: by a clock that runs evenly but has no date,
 * set by the time of day, and set again when it is off by more than a second.
 */
export function timeOfDay(
  milliseconds: () => number = Date.now,
  ticks: () => bigint = process.hrtime.bigint,
): () => bigint {
  let offset = BigInt(milliseconds()) * MILLISECOND - ticks();
  return () => {
    const now = offset + ticks();
    const error = now - BigInt(milliseconds()) * MILLISECOND;
    if (error < APART && error > -APART) return now;
    offset -= error;
    return now - error;
  };
}

/**
 * Nanoseconds since 1970, now, to the microsecond or so. It runs backwards only when the machine's
 * time is set back by more than a second.
 */
export const nowNanoseconds: () => bigint = timeOfDay();

/** A workspace: reading a BigInt from memory makes one, and not four. */
const joined = new DataView(new ArrayBuffer(8));

/** A signed 64-bit value from its two words. */
export function joinTime(high: number, low: number): bigint {
  joined.setInt32(0, high);
  joined.setInt32(4, low);
  return joined.getBigInt64(0);
}

export function splitTime(time: bigint): { high: number; low: number } {
  return { high: Number(BigInt.asIntN(32, time >> 32n)), low: Number(time & 0xffffffffn) };
}

/** Below zero when a is earlier, above when b is, 0 when they are equal. */
export function compareTime(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  return aHigh === bHigh ? aLow - bLow : aHigh - bHigh;
}
