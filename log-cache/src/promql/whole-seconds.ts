/** Times of samples: an envelope's, cut down to the whole second, as the original cuts them. */

const WORD = 2 ** 32;
const BILLION = 1_000_000_000;

/** Milliseconds since 1970 of the second that a time in nanoseconds, as two words, is in. */
export function secondMsOf(high: number, low: number): number {
  // As a double the time is off by hundreds at most, so the quotient is off by one at most; the
  // remainder, which fits in 32 bits, tells.
  let seconds = Math.floor((high * WORD + low) / BILLION);
  const rest = (low - Math.imul(seconds, BILLION)) | 0;
  if (rest < 0) seconds -= 1;
  else if (rest >= BILLION) seconds += 1;
  return seconds * 1000;
}
