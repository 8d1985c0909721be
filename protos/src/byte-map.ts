/**
 * A hash map whose keys are slices of bytes: looking a source up makes no string.
 *
 * Open addressing with linear probing, at most half full; what is removed is closed up at once,
 * so there are no tombstones. A key is copied when it is set. There is no limit on the size:
 * whoever owns a map bounds what goes in. A large one grows while further keys come in, so that no
 * one of them takes long: until all have been moved, what is not in the new slots may be in the old.
 *
 * Hot: `get` is called for every envelope of every process.
 */

/** A 32-bit hash of bytes[start, end). */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = (end - start) ^ 0x9e3779b9;
  let at = start;
  for (const whole = end - 3; at < whole; at += 4) {
    const word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    hash = Math.imul(hash ^ word, 0x85ebca6b);
    hash ^= hash >>> 15;
  }
  for (; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] as number), 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

interface Entry<T> {
  readonly hash: number;
  readonly key: Buffer;
  value: T;
}

const SLOTS_AT_FIRST = 16;
/** Fewer old slots than this are moved at once; of more, some each time a key comes in. */
const MOVED_AT_ONCE = 4096;
const MOVED_PER_KEY = 16;
/** What was removed from the old slots: no key has this hash. */
const GONE: Entry<never> = { hash: -1, key: Buffer.alloc(0), value: undefined as never };

export class ByteMap<T> {
  #slots: (Entry<T> | undefined)[] = new Array<Entry<T> | undefined>(SLOTS_AT_FIRST).fill(
    undefined,
  );
  #mask = SLOTS_AT_FIRST - 1;
  #size = 0;
  /** While it grows: the old slots, of which those below `moved` are in the new ones, too. */
  #old: (Entry<T> | undefined)[] | undefined;
  #moved = 0;

  get size(): number {
    return this.#size;
  }

  /** The value under the key bytes[start, end); `hash` is its hashBytes. */
  get(bytes: Uint8Array, start: number, end: number, hash: number): T | undefined {
    const entry = this.#slots[find(this.#slots, bytes, start, end, hash)];
    if (entry !== undefined) return entry.value;
    return this.#old?.[find(this.#old, bytes, start, end, hash)]?.value;
  }

  set(bytes: Uint8Array, start: number, end: number, hash: number, value: T): void {
    const slot = find(this.#slots, bytes, start, end, hash);
    const there = this.#slots[slot] ?? this.#old?.[find(this.#old, bytes, start, end, hash)];
    if (there) {
      there.value = value;
      return;
    }
    const key = Buffer.allocUnsafeSlow(end - start); // From the pool, it would keep a page alive.
    key.set(bytes.subarray(start, end));
    this.#slots[slot] = { hash, key, value };
    this.#size += 1;
    if (this.#old !== undefined) this.#move(MOVED_PER_KEY);
    if (this.#size * 2 > this.#slots.length) this.#grow();
  }

  /** Whether there was something to remove. */
  delete(bytes: Uint8Array, start: number, end: number, hash: number): boolean {
    const isOld = this.#deleteOld(bytes, start, end, hash);
    let gap = find(this.#slots, bytes, start, end, hash);
    if (!this.#slots[gap]) {
      if (isOld) this.#size -= 1;
      return isOld;
    }
    this.#slots[gap] = undefined;
    this.#size -= 1;
    for (let slot = (gap + 1) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const entry = this.#slots[slot];
      if (!entry) return true;
      const home = entry.hash & this.#mask;
      const stays = gap <= slot ? gap < home && home <= slot : gap < home || home <= slot;
      if (stays) continue;
      this.#slots[gap] = entry;
      this.#slots[slot] = undefined;
      gap = slot;
    }
  }

  getString(key: string): T | undefined {
    const bytes = Buffer.from(key);
    return this.get(bytes, 0, bytes.length, hashBytes(bytes, 0, bytes.length));
  }

  setString(key: string, value: T): void {
    const bytes = Buffer.from(key);
    this.set(bytes, 0, bytes.length, hashBytes(bytes, 0, bytes.length), value);
  }

  deleteString(key: string): boolean {
    const bytes = Buffer.from(key);
    return this.delete(bytes, 0, bytes.length, hashBytes(bytes, 0, bytes.length));
  }

  clear(): void {
    this.#slots = new Array<Entry<T> | undefined>(SLOTS_AT_FIRST).fill(undefined);
    this.#mask = SLOTS_AT_FIRST - 1;
    this.#size = 0;
    this.#old = undefined;
  }

  /** Keys (as UTF-8) and values, in no order. The map must not change meanwhile. */
  *entries(): IterableIterator<[string, T]> {
    for (const { key, value } of this.#entries()) yield [key.toString(), value];
  }

  *values(): IterableIterator<T> {
    for (const { value } of this.#entries()) yield value;
  }

  *#entries(): IterableIterator<Entry<T>> {
    for (const entry of this.#slots) if (entry) yield entry;
    const old = this.#old ?? [];
    for (let slot = this.#moved; slot < old.length; slot += 1) {
      const entry = old[slot];
      if (entry && entry !== GONE) yield entry;
    }
  }

  #deleteOld(bytes: Uint8Array, start: number, end: number, hash: number): boolean {
    if (this.#old === undefined) return false;
    const slot = find(this.#old, bytes, start, end, hash);
    if (!this.#old[slot]) return false;
    this.#old[slot] = GONE; // Others may stand behind it.
    return true;
  }

  #grow(): void {
    this.#move(Number.POSITIVE_INFINITY); // There is nothing left, unless keys came and went.
    this.#old = this.#slots;
    this.#moved = 0;
    this.#slots = new Array<Entry<T> | undefined>(this.#old.length * 2).fill(undefined);
    this.#mask = this.#slots.length - 1;
    if (this.#old.length <= MOVED_AT_ONCE) this.#move(MOVED_AT_ONCE);
  }

  /** Moves what stands in so many of the old slots. */
  #move(count: number): void {
    const old = this.#old;
    if (old === undefined) return;
    const end = Math.min(old.length, this.#moved + count);
    for (; this.#moved < end; this.#moved += 1) {
      const entry = old[this.#moved];
      if (!entry || entry === GONE) continue;
      let slot = entry.hash & this.#mask;
      while (this.#slots[slot]) slot = (slot + 1) & this.#mask;
      this.#slots[slot] = entry;
    }
    if (end === old.length) this.#old = undefined;
  }
}

/** The slot that holds the key, or the free one where it would go. */
function find(
  slots: readonly (Entry<unknown> | undefined)[],
  bytes: Uint8Array,
  start: number,
  end: number,
  hash: number,
): number {
  const mask = slots.length - 1;
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const entry = slots[slot];
    if (!entry || (entry.hash === hash && isSame(entry.key, bytes, start, end))) return slot;
  }
}

function isSame(key: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const { length } = key;
  if (length !== end - start) return false;
  for (let index = 0; index < length; index += 1) {
    if (key[index] !== bytes[start + index]) return false;
  }
  return true;
}
