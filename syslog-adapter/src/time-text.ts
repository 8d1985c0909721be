/**
 * Times as syslog messages have them: `2023-11-14T22:13:20.12345+00:00`.
 *
 * Hot: every message has one. The date is made once a second, the fraction each time. The time
 * comes as two words of nanoseconds and is cut to microseconds, which a double holds exactly until
 * the year 2255.
 */

const ZERO = 0x30;
const DOT = 0x2e;
const DATE_BYTES = 19;
const ZONE = Buffer.from('+00:00');

/** 2^32 is 4294967 thousands and 296. */
const WORD_THOUSANDS = 4_294_967;
const WORD_REST = 296;

export class TimeWriter {
  readonly #date: Buffer = Buffer.from('1970-01-01T00:00:00');
  #dateSeconds = 0;

  /**
   * Writes a time; `high` is signed, `low` is not. Microseconds are cut, not rounded, zeros at the
   * end of the fraction are left out, and the zone is never `Z`. Returns the offset behind it.
   */
  write(out: Buffer, offset: number, high: number, low: number): number {
    const micros = high * WORD_THOUSANDS + Math.floor((high * WORD_REST + low) / 1000);
    let seconds = Math.floor(micros / 1e6);
    if (micros < seconds * 1e6) seconds -= 1; // So far from 1970, the division may round up.
    if (seconds !== this.#dateSeconds) {
      this.#dateSeconds = seconds;
      this.#date.write(new Date(seconds * 1000).toISOString(), 0, DATE_BYTES, 'latin1');
    }

    let at = offset;
    for (let index = 0; index < DATE_BYTES; index += 1) out[at++] = this.#date[index] as number;
    const fraction = micros - seconds * 1e6;
    if (fraction > 0) at = writeFraction(out, at, fraction);
    for (let index = 0; index < ZONE.length; index += 1) out[at++] = ZONE[index] as number;
    return at;
  }
}

/** A dot and the digits of so many microseconds, without zeros at the end. */
function writeFraction(out: Buffer, offset: number, micros: number): number {
  out[offset] = DOT;
  let rest = micros | 0;
  let end = offset + 7;
  let isTail = true;
  for (let at = offset + 6; at > offset; at -= 1) {
    const tenth = (rest / 10) | 0;
    const digit = rest - tenth * 10;
    out[at] = ZERO + digit;
    rest = tenth;
    if (isTail && digit === 0) end = at;
    else isTail = false;
  }
  return end;
}
