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

/** A list of shards that can't be read; `mistakes` has every reason. */
export class ShardsError extends Error {
  override readonly name = 'ShardsError';
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(`the shards can't be read: ${mistakes.join('; ')}`);
    this.mistakes = mistakes;
  }
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

/**
 * Reads `az1=HOST:PORT,HOST:PORT;az2=HOST:PORT`. Blanks around names and addresses don't matter,
 * nor does a semicolon at the end; everything else that is odd is a mistake, for a list read
 * differently by two processes would route one source to two owners.
 */
export function parseShards(text: string): Zone[] {
  const mistakes: string[] = [];
  const zones: Zone[] = [];
  const parts = text.split(';').map((part) => part.trim());
  if (parts.at(-1) === '') parts.pop();
  if (parts.length === 0) mistakes.push('there is no zone; write NAME=HOST:PORT,HOST:PORT;…');

  const seen = new Map<string, string>();
  for (const [index, part] of parts.entries()) {
    const equals = part.indexOf('=');
    const name = part.slice(0, Math.max(equals, 0)).trim();
    if (name === '') {
      mistakes.push(`zone ${index + 1} ("${part}") has no name; write NAME=HOST:PORT`);
      continue;
    }
    if (zones.some((zone) => zone.name === name)) mistakes.push(`zone ${name} is there twice`);
    const addresses = part
      .slice(equals + 1)
      .split(',')
      .map((address) => address.trim());
    for (const address of addresses) {
      const mistake = addressMistake(address) ?? duplicate(address, name, seen);
      if (mistake !== undefined) mistakes.push(`zone ${name}: ${mistake}`);
    }
    if (addresses.length > SHARDS_MAX)
      mistakes.push(`zone ${name} has more than ${SHARDS_MAX} shards`);
    zones.push({ name, addresses });
  }

  if (mistakes.length > 0) throw new ShardsError(mistakes);
  return zones;
}

// A host name, an IPv4 address, or an IPv6 address in brackets; then a port.
const ADDRESS = /^(?:\[[0-9a-fA-F:.]+\]|[^\s[\]:=/]+):(\d{1,5})$/;

function addressMistake(address: string): string | undefined {
  if (address === '') return 'an address is missing';
  const port = Number(ADDRESS.exec(address)?.[1] ?? Number.NaN);
  if (Number.isNaN(port)) return `"${address}" is not HOST:PORT`;
  return port >= 1 && port <= 65_535 ? undefined : `"${address}" has no port from 1 to 65535`;
}

function duplicate(address: string, zone: string, seen: Map<string, string>): string | undefined {
  const other = seen.get(address);
  seen.set(address, zone);
  return other === undefined ? undefined : `${address} is there already, in zone ${other}`;
}
