/**
 * Who owns a source: the one function that agents, Dopplers and readers must all agree on.
 *
 * The owner is the jump consistent hash of the XXH64 of the source id, as log-cache-release v3.2.0
 * takes it for its nodes; the order of the shards in the settings is the order of their indexes.
 * Adding one shard to n moves 1/(n+1) of the sources, all of them to the new one.
 *
 * Working an owner out costs about a microsecond, in BigInts. `ShardOwners` does it once per source
 * and then costs a look-up of bytes.
 */

import { ByteMap } from './byte-map.ts';
import { xxh64 } from './hash.ts';

/** The Dopplers of one availability zone; a Doppler's index here is its shard. */
export interface Zone {
  readonly name: string;
  /** HOST:PORT of each. */
  readonly addresses: readonly string[];
}

const WORD_MASK = (1n << 64n) - 1n;

/** The most shards in one zone: far more than a zone has, few enough for exact doubles. */
export const SHARDS_MAX = 65_535;

/** The index, below `shards`, of the shard that owns the source. */
export function ownerOf(sourceId: string | Uint8Array, shards: number): number {
  if (!Number.isInteger(shards) || shards < 1 || shards > SHARDS_MAX) {
    throw new RangeError(`there must be 1 to ${SHARDS_MAX} shards, not ${shards}`);
  }
  if (shards === 1) return 0;

  // Lamping and Veach's loop. Every operand of the division is exact in a double, and the
  // multiplication and the cut are done in the order of the original, so that they round alike.
  let key = xxh64(sourceId);
  let owner = -1;
  let next = 0;
  while (next < shards) {
    owner = next;
    key = (key * 2862933555777941757n + 1n) & WORD_MASK;
    next = Math.floor((owner + 1) * (2 ** 31 / (Number(key >> 33n) + 1)));
  }
  return owner;
}

/** Longer source ids are worked out each time: remembering them would let one peer fill memory. */
const REMEMBERED_BYTES_MAX = 256;

/**
 * The owners of sources, remembered. It holds at most `capacity` sources; when one more comes it
 * forgets all and learns anew, which costs a microsecond per source that is still in use.
 */
export class ShardOwners {
  readonly shards: number;
  readonly #capacity: number;
  readonly #owners = new ByteMap<number>();

  constructor({ shards, capacity = 65_536 }: { shards: number; capacity?: number }) {
    ownerOf('', shards); // Refuses a number of shards that can't be.
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`the capacity must be a positive number of sources, not ${capacity}`);
    }
    this.shards = shards;
    this.#capacity = capacity;
  }

  /** How many sources are remembered. */
  get size(): number {
    return this.#owners.size;
  }

  /** The owner of the source id in [start, end), whose `hashBytes` is `hash`. */
  of(bytes: Uint8Array, start: number, end: number, hash: number): number {
    if (this.shards === 1) return 0;
    const known = this.#owners.get(bytes, start, end, hash);
    return known ?? this.#learn(bytes, start, end, hash);
  }

  #learn(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const owner = ownerOf(bytes.subarray(start, end), this.shards);
    if (end - start > REMEMBERED_BYTES_MAX) return owner;
    if (this.#owners.size >= this.#capacity) this.#owners.clear();
    this.#owners.set(bytes, start, end, hash, owner);
    return owner;
  }
}
