/**
 * Puts large bytes together a MiB in a turn, for others to be served in between: fresh memory is
 * what costs, and an answer may have 50 MiB. What is small is put together at once.
 */

import { setImmediate as nextRound } from 'node:timers/promises';

const TURN_BYTES = 1024 * 1024;

/** One buffer with the bytes of all. */
export async function joined(pieces: readonly Buffer[]): Promise<Buffer> {
  const [first] = pieces;
  if (first !== undefined && pieces.length === 1) return first;
  const whole = Buffer.allocUnsafe(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) at = await copyInTurns(piece, whole, at);
  return whole;
}

/** Copies all bytes to a place; resolves to where they end. */
export async function copyInTurns(from: Buffer, into: Buffer, place: number): Promise<number> {
  let start = 0;
  while (from.length - start > TURN_BYTES) {
    from.copy(into, place + start, start, start + TURN_BYTES);
    start += TURN_BYTES;
    await nextRound();
  }
  from.copy(into, place + start, start);
  return place + from.length;
}
