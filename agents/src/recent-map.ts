/**
 * A map from slices of bytes to values, with room for so many and no more: it keeps those that
 * were used last.
 *
 *     newest ─▶ [ ]⇄[ ]⇄[ ]⇄[ ] ◀─ oldest        a ring of entries through `ends`, and a map to them
 *
 * When one more comes, the one that was used longest ago is forgotten; `forgetIdle` forgets those
 * that nobody has used for a while. `forgotten` counts both. A key of more than 512 bytes is kept
 * as its SHA-256, so that the map is bounded in bytes too: by `capacity` times about 700.
 *
 * Hot: one look-up and one move to the front per use. It allocates for new keys and long ones only.
 */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { ByteMap, hashBytes } from '@standpipe/protos';

const KEY_BYTES_MAX = 512;

export interface RecentMapOptions<T> {
  readonly capacity: number;
  /** Makes the value of a key that is new. */
  readonly create: () => T;
}

interface Entry<T> {
  readonly value: T;
  readonly key: Buffer;
  readonly hash: number;
  usedMs: number;
  newer: Entry<T>;
  older: Entry<T>;
}

export class RecentMap<T> {
  readonly #capacity: number;
  readonly #create: () => T;
  readonly #entries = new ByteMap<Entry<T>>();
  /** Its `older` is the newest entry, its `newer` the oldest; itself, when there is none. */
  readonly #ends: Entry<T>;
  #forgotten = 0;

  constructor({ capacity, create }: RecentMapOptions<T>) {
    assert(Number.isInteger(capacity) && capacity >= 1, 'there is room for one at least');
    this.#capacity = capacity;
    this.#create = create;
    const key = Buffer.alloc(0);
    this.#ends = { value: create(), key, hash: 0, usedMs: 0 } as Entry<T>; // Linked just below.
    this.#ends.newer = this.#ends;
    this.#ends.older = this.#ends;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** How many were forgotten. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** The value of the key bytes[0, end), made if there was none; from now on the newest. */
  use(bytes: Buffer, end: number, nowMs = 0): T {
    if (end > KEY_BYTES_MAX) {
      const digest = createHash('sha256').update(bytes.subarray(0, end)).digest();
      return this.#use(digest, digest.length, nowMs);
    }
    return this.#use(bytes, end, nowMs);
  }

  /** Forgets what was last used before this time. */
  forgetIdle(beforeMs: number): void {
    for (let oldest = this.#ends.newer; oldest !== this.#ends; oldest = this.#ends.newer) {
      if (oldest.usedMs >= beforeMs) return;
      this.#forget(oldest);
    }
  }

  #use(bytes: Buffer, end: number, nowMs: number): T {
    const hash = hashBytes(bytes, 0, end);
    const known = this.#entries.get(bytes, 0, end, hash);
    if (known) {
      unlink(known);
      this.#linkFirst(known);
      known.usedMs = nowMs;
      return known.value;
    }
    if (this.#entries.size >= this.#capacity) this.#forget(this.#ends.newer);
    const entry: Entry<T> = {
      value: this.#create(),
      key: Buffer.from(bytes.subarray(0, end)),
      hash,
      usedMs: nowMs,
      newer: this.#ends,
      older: this.#ends,
    };
    this.#linkFirst(entry);
    this.#entries.set(bytes, 0, end, hash, entry);
    return entry.value;
  }

  #forget(entry: Entry<T>): void {
    unlink(entry);
    this.#entries.delete(entry.key, 0, entry.key.length, entry.hash);
    this.#forgotten += 1;
  }

  #linkFirst(entry: Entry<T>): void {
    const ends = this.#ends;
    entry.older = ends.older;
    entry.newer = ends;
    ends.older.newer = entry;
    ends.older = entry;
  }
}

function unlink<T>(entry: Entry<T>): void {
  entry.newer.older = entry.older;
  entry.older.newer = entry.newer;
}
