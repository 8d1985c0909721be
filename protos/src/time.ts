/**
 * How 64-bit nanoseconds are held; the only file that knows.
 *
 * Every timestamp exceeds 2^53, so a number cannot hold one. In columns a time is two 32-bit
 * words (the scan makes them without allocating, and comparing them costs two integer compares);
 * at the edges it is a BigInt. time.bench.ts compares the forms.
 */

const MILLISECOND = 1_000_000n;

/** Nanoseconds since 1970, now, to the microsecond or so and never running backwards. */
export function nowNanoseconds(): bigint {
  return STARTED_AT + process.hrtime.bigint();
}

/** What must be added to the process's own clock, which has no date, to get the time of day. */
const STARTED_AT = BigInt(Date.now()) * MILLISECOND - process.hrtime.bigint();

/** A signed 64-bit value from its two words. */
export function joinTime(high: number, low: number): bigint {
  return (BigInt(high | 0) << 32n) | BigInt(low >>> 0);
}

export function splitTime(time: bigint): { high: number; low: number } {
  return { high: Number(BigInt.asIntN(32, time >> 32n)), low: Number(time & 0xffffffffn) };
}

/** Below zero when a is earlier, above when b is, 0 when they are equal. */
export function compareTime(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  return aHigh === bHigh ? aLow - bLow : aHigh - bHigh;
}
