/**
 * Counts the messages of a websocket from a server, wherever the bytes are cut.
 *
 *     | flags, opcode | 7 bits of length | 0, 2 or 8 bytes of length | payload |
 *
 * A server's frames are not masked. Control frames (opcode 8 and above) are no messages, and a
 * message in several frames counts once, with its last.
 */

const LENGTH_16 = 126;
const LENGTH_64 = 127;
const FINAL = 0x80;
const OPCODE = 0x0f;
const FIRST_CONTROL = 8;

export class FrameCounter {
  messages = 0;
  /** Bytes of the payload at hand that are still to come. */
  #payload = 0;
  /** Bytes of the header at hand that have been read, and what they said. */
  #read = 0;
  #flags = 0;
  #lengthBytes = 0;
  #length = 0;

  take(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#payload > 0) {
        const skipped = Math.min(this.#payload, end - at);
        this.#payload -= skipped;
        at += skipped;
      } else {
        this.#header(bytes[at] as number); // Below `end`.
        at += 1;
      }
    }
  }

  #header(byte: number): void {
    this.#read += 1;
    if (this.#read === 1) {
      this.#flags = byte;
      return;
    }
    if (this.#read === 2) {
      this.#lengthBytes = byte === LENGTH_16 ? 2 : byte === LENGTH_64 ? 8 : 0;
      this.#length = this.#lengthBytes === 0 ? byte : 0;
    } else this.#length = this.#length * 256 + byte;
    if (this.#read < 2 + this.#lengthBytes) return;

    const isMessage = (this.#flags & FINAL) !== 0 && (this.#flags & OPCODE) < FIRST_CONTROL;
    if (isMessage) this.messages += 1;
    this.#payload = this.#length;
    this.#read = 0;
  }
}
