/**
 * Cuts what a connection brings into messages, as they come.
 *
 *     octet counting   │ 11 SP │ <14>1 - … │ LF? │ 14 SP │ <14>1 - … │
 *     by line feeds    │ <14>1 - … │ LF │ <14>1 - … │ LF │
 *
 * A message by line feeds ends where the next begins, `LF <`, so text of several lines is one
 * message; and with a line feed behind which nothing has come yet, once the connection is quiet.
 *
 * A framer holds the bytes of one message that is not all there, `pendingBytes`, and no more than
 * its limit; the memory that it holds for them, `heldBytes`, is four times as much at most.
 * What it hands over are views, valid until the call returns.
 */

export type OnMessage = (bytes: Buffer, start: number, end: number) => boolean;

export interface Framer {
  /** What waits for the rest of its message. */
  readonly pendingBytes: number;
  /** The memory that it waits in. */
  readonly heldBytes: number;
  /**
   * Takes what came and gives each message that is complete to `onMessage`, until that says false.
   * Returns what is wrong with the framing, or ''.
   */
  push(chunk: Buffer, onMessage: OnMessage): string;
  /** Gives what is complete if nothing follows. */
  quiet(onMessage: OnMessage): void;
}

const LF = 0x0a;
const SPACE = 0x20;
const LESS = 0x3c;
const ZERO = 0x30;
const NINE = 0x39;
const DIGITS_MAX = 9;
/** By line feeds no length is told; the original has no limit at all. */
const LINE_BYTES_MAX = 2 ** 20;
/** Memory of which less than this part is used is given back. */
const USED_PART_MIN = 1 / 4;
const NOTHING = Buffer.alloc(0);

export function createFramer(options: {
  readonly byLineFeeds: boolean;
  readonly messageBytesMax: number;
}): Framer {
  return options.byLineFeeds ? new LineFramer() : new OctetFramer(options.messageBytesMax);
}

/** Bytes that are added to until they are a whole message, without copying them each time. */
class Pending {
  #bytes: Buffer = NOTHING;
  #length = 0;
  /** Whether `with` gave what is held, and not what it was given. */
  #gaveOwn = false;

  get length(): number {
    return this.#length;
  }

  get heldBytes(): number {
    return this.#bytes.length;
  }

  /** What has come so far, and this: a view, valid until the next call. */
  with(chunk: Buffer): Buffer {
    this.#gaveOwn = this.#length > 0;
    if (!this.#gaveOwn) return chunk;
    const needed = this.#length + chunk.length;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(needed * 2);
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    chunk.copy(this.#bytes, this.#length);
    this.#length = needed;
    return this.#bytes.subarray(0, needed);
  }

  /** Keeps the end of what `with` gave, from `start` on. */
  keep(bytes: Buffer, start: number): void {
    const length = bytes.length - start;
    if (length === 0)
      this.#bytes = NOTHING; // Most connections wait for nothing.
    else if (!this.#gaveOwn || length < this.#bytes.length * USED_PART_MIN)
      this.#bytes = Buffer.from(bytes.subarray(start));
    else if (start > 0) this.#bytes.copyWithin(0, start, bytes.length);
    this.#length = length;
  }
}

class OctetFramer implements Framer {
  readonly #messageBytesMax: number;
  readonly #pending = new Pending();
  /** How long the message that waits is with its head: before that there is nothing to look at. */
  #awaited = 0;

  constructor(messageBytesMax: number) {
    this.#messageBytesMax = messageBytesMax;
  }

  get pendingBytes(): number {
    return this.#pending.length;
  }

  get heldBytes(): number {
    return this.#pending.heldBytes;
  }

  push(chunk: Buffer, onMessage: OnMessage): string {
    const bytes = this.#pending.with(chunk);
    let at = 0;
    this.#awaited = bytes.length < this.#awaited ? this.#awaited : 0;
    while (this.#awaited === 0 && at < bytes.length) {
      if (bytes[at] === LF) {
        at += 1;
        continue;
      }
      const start = this.#lengthEnd(bytes, at);
      if (start < 0) return 'a message must begin with its length and a blank';
      if (start === 0) break; // The length is not all there.
      const length = lengthOf(bytes, at, start - 1);
      if (length > this.#messageBytesMax) {
        return `a message of ${length} bytes, more than ${this.#messageBytesMax}`;
      }
      if (start + length > bytes.length) {
        this.#awaited = start + length - at;
        break;
      }
      at = start + length;
      if (!onMessage(bytes, start, at)) break;
    }
    this.#pending.keep(bytes, at);
    return '';
  }

  quiet(): void {}

  /** Where the message begins whose length stands at `at`: 0 is not yet known, -1 is nowhere. */
  #lengthEnd(bytes: Buffer, at: number): number {
    for (let digits = 0; at + digits < bytes.length; digits += 1) {
      const byte = bytes[at + digits] as number; // Below the length.
      if (byte === SPACE && digits > 0) return at + digits + 1;
      const isDigit = byte >= ZERO && byte <= NINE && (digits > 0 || byte !== ZERO);
      if (!isDigit || digits === DIGITS_MAX) return -1;
    }
    return 0;
  }
}

class LineFramer implements Framer {
  readonly #pending = new Pending();
  /** How far what waits has been looked through. */
  #searched = 0;

  get pendingBytes(): number {
    return this.#pending.length;
  }

  get heldBytes(): number {
    return this.#pending.heldBytes;
  }

  push(chunk: Buffer, onMessage: OnMessage): string {
    const bytes = this.#pending.with(chunk);
    let start = 0;
    let from = this.#searched;
    for (;;) {
      const feed = bytes.indexOf(LF, from);
      if (feed === -1 || feed + 1 === bytes.length) {
        from = feed === -1 ? bytes.length : feed;
        break;
      }
      from = feed + 1;
      if (bytes[from] !== LESS) continue;
      if (!onMessage(bytes, start, feed)) break;
      start = from;
    }
    this.#pending.keep(bytes, start);
    this.#searched = from - start;
    return bytes.length - start > LINE_BYTES_MAX ? `a message above ${LINE_BYTES_MAX} bytes` : '';
  }

  quiet(onMessage: OnMessage): void {
    const bytes = this.#pending.with(NOTHING);
    if (this.#pending.length === 0 || bytes[bytes.length - 1] !== LF) return;
    onMessage(bytes, 0, bytes.length - 1);
    this.#pending.keep(bytes, bytes.length);
    this.#searched = 0;
  }
}

function lengthOf(bytes: Buffer, start: number, end: number): number {
  let length = 0;
  for (let at = start; at < end; at += 1) length = length * 10 + (bytes[at] as number) - ZERO;
  return length;
}
