/**
 * How many envelopes a stream that broke may have swallowed.
 *
 * `BatchSender` acknowledges nothing before its end, so of what was written last nobody can say
 * whether the peer has read it. But it is bounded: a peer that does not read takes no more than its
 * flow-control window, and a peer that has not answered a ping for 35 s (15 s between pings, 20 s
 * to answer) has been hung up on. What lies further back than either was received. This keeps the
 * sums of the rest, in chunks, so it says up to one chunk too many and never too few.
 */

/** The window is 1 MiB on both ends, and one message of up to 64 KiB may be on its way besides. */
const WINDOW_BYTES = 1024 * 1024 + 64 * 1024;
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
      const isFarBack = this.#bytes - first.bytes >= WINDOW_BYTES;
      if (!isOld && !isFarBack) return;
      this.#bytes -= first.bytes;
      this.#chunks.shift();
    }
  }
}
