/**
 * Puts large bytes together a MiB in a turn, for others to be served in between: fresh memory is
 * what costs, and an answer may have 50 MiB. What is small is put together at once.
 */

import { setImmediate as nextRound } from 'node:timers/promises';
import { SLICE_BYTES } from './slice.ts';

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
  while (from.length - start > SLICE_BYTES) {
    from.copy(into, place + start, start, start + SLICE_BYTES);
    start += SLICE_BYTES;
    await nextRound();
  }
  from.copy(into, place + start, start);
  return place + from.length;
}
