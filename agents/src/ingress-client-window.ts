/**
 * How many envelopes a stream that broke may have swallowed.
 *
 * `BatchSender` acknowledges nothing before its end, so of what was written last nobody can say
 * whether the peer has read it. But it is bounded. What the peer has not taken off the connection
 * fits into its flow-control window; of what it has, a few messages may wait for its program (16
 * in a Node process, none in a Go one). And a peer that did not answer a ping for 35 s (15 s between
 * pings, 20 s to answer) has been hung up on. What lies further back was received. This keeps the
 * sums of the rest, in chunks, so it says up to one chunk too many.
 */

/** The window is 1 MiB on both ends, and one message of 64 KiB may be on its way besides. */
const WINDOW_BYTES = 1024 * 1024 + 64 * 1024;
/** What a peer's program may have before it, and the most bytes that a usual message has. */
const UNREAD_MESSAGES = 17;
const UNREAD_BYTES = UNREAD_MESSAGES * 64 * 1024;
const PING_LIMIT_MS = 35_000;
const CHUNK_BYTES = 64 * 1024;
const CHUNK_MS = 5_000;

interface Chunk {
  count: number;
  bytes: number;
  messages: number;
  readonly firstMs: number;
  lastMs: number;
}

export class IngressWindow {
  readonly #chunks: Chunk[] = [];
  #bytes = 0;
  #messages = 0;

  wrote(count: number, bytes: number, nowMs: number): void {
    const last = this.#chunks.at(-1);
    if (last && last.bytes < CHUNK_BYTES && nowMs - last.firstMs < CHUNK_MS) {
      last.count += count;
      last.bytes += bytes;
      last.messages += 1;
      last.lastMs = nowMs;
    } else {
      this.#chunks.push({ count, bytes, messages: 1, firstMs: nowMs, lastMs: nowMs });
    }
    this.#bytes += bytes;
    this.#messages += 1;
    this.#forget(nowMs);
  }

  /** The most envelopes that the peer may not have received. */
  unconfirmed(nowMs: number): number {
    this.#forget(nowMs);
    let count = 0;
    for (const chunk of this.#chunks) count += chunk.count;
    return count;
  }

  #forget(nowMs: number): void {
    for (let first = this.#chunks[0]; first; first = this.#chunks[0]) {
      const isOld = nowMs - first.lastMs >= PING_LIMIT_MS;
      const bytesAfter = this.#bytes - first.bytes;
      const messagesAfter = this.#messages - first.messages;
      const isFarBack =
        bytesAfter >= WINDOW_BYTES + UNREAD_BYTES && messagesAfter > UNREAD_MESSAGES;
      if (!isOld && !isFarBack) return;
      this.#bytes = bytesAfter;
      this.#messages = messagesAfter;
      this.#chunks.shift();
    }
  }
}
