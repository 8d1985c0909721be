/**
 * How many envelopes a stream that broke may have swallowed.
 *
 * `BatchSender` acknowledges nothing before its end, so of what was written last nobody can say
 * whether the peer has read it. But it is bounded. What the peer has not taken off the connection
 * fits into its flow-control window; of what it has, some messages may wait for its program (16
 * in a Node process, none in a Go one). And a peer that did not answer a ping for 35 s (15 s between
 * pings, 20 s to answer) has been hung up on. What lies further back was received. This keeps the
 * sums of the rest, in chunks, so it says up to one chunk too many.
 */

/** The window is 1 MiB on both ends. */
const WINDOW_BYTES = 1024 * 1024;
/** What a peer's program may have before it, with some on their way there. */
const UNREAD_MESSAGES = 24;
const PING_LIMIT_MS = 35_000;
const CHUNK_BYTES = 64 * 1024;
const CHUNK_MS = 5_000;

interface Chunk {
  count: number;
  bytes: number;
  readonly firstMs: number;
  lastMs: number;
}

export class IngressWindow {
  readonly #chunks: Chunk[] = [];
  #bytes = 0;
  #largest = 0;

  wrote(count: number, bytes: number, nowMs: number): void {
    const last = this.#chunks.at(-1);
    if (last && last.bytes < CHUNK_BYTES && nowMs - last.firstMs < CHUNK_MS) {
      last.count += count;
      last.bytes += bytes;
      last.lastMs = nowMs;
    } else {
      this.#chunks.push({ count, bytes, firstMs: nowMs, lastMs: nowMs });
    }
    this.#bytes += bytes;
    this.#largest = Math.max(this.#largest, bytes);
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
      const isFarBack = bytesAfter >= WINDOW_BYTES + UNREAD_MESSAGES * this.#largest;
      if (!isOld && !isFarBack) return;
      this.#bytes = bytesAfter;
      this.#chunks.shift();
    }
  }
}
