/**
 * The memory that the store lives in: one budget, outside the JavaScript heap, cut into blocks.
 *
 *     region (up to 1 GiB)  │ slab 4 MiB │ slab 4 MiB │ …
 *                             └ 4 × 1 MiB ─ each 4 × 256 KiB ─ … ─ each 4 × 256 bytes
 *
 * A block is a slab, or a quarter of a block. Taking one splits a larger one as far as needed;
 * when the four quarters of a block are free again they become that block, so what big sources
 * give back serves small ones and the other way round. Free blocks are linked through their own
 * first words; of one size that is taken which has been free the longest, because what has just come
 * free may yet become a part of a larger one. Addresses count 32-bit words over all regions and fit
 * 31 bits: 8 GiB at most.
 *
 * Pages live longer than the segments that came with them, and one that stays keeps all around it
 * from becoming a large block again. So they have blocks of 16 KiB to themselves, nests, and are
 * mixed with the rest only where nothing else is left.
 *
 * A region's memory becomes resident as its slabs are first used, and stays; the budget is
 * therefore the most that is ever resident. Besides it a region costs a byte for each 256. Nothing
 * is lost here: `take` says NONE, and the store decides who gives.
 *
 * Reading a typed array is `as number` wherever the address comes from `take`.
 */

import assert from 'node:assert/strict';

/** No block: what `take` gives when nothing is free. */
export const NONE = -1;

/** The largest budget that addresses reach. */
export const ARENA_BYTES_MAX: number = 8 * 2 ** 30;
export const ARENA_BYTES_MIN: number = 64 * 1024;

const UNIT_BYTES = 256;
const UNIT_SHIFT = 6;
const CLASS_MAX = 7;
/** A slab is at most this share of the budget, so that a small budget is not one block. */
const SLABS_MIN = 8;
/** The size of a nest, and the number of the first list of free blocks that lie in nests. */
const NEST_CLASS = 3;
const NEST_SHIFT = UNIT_SHIFT + 2 * NEST_CLASS;
const NESTED = CLASS_MAX + 1;
const REGION_SHIFT = 28;
const REGION_WORDS = 2 ** REGION_SHIFT;
const LOCAL_MASK = REGION_WORDS - 1;

/** The size of a block of this class: 256 bytes, and four times as much for each class above. */
export function bytesOf(blockClass: number): number {
  return UNIT_BYTES << (2 * blockClass);
}

export function wordsOf(blockClass: number): number {
  return (UNIT_BYTES >>> 2) << (2 * blockClass);
}

/** The smallest class whose blocks hold so many bytes. */
export function classFor(byteLength: number): number {
  let blockClass = 0;
  while (bytesOf(blockClass) < byteLength) blockClass += 1;
  return blockClass;
}

/** One stretch of memory, seen as bytes, as words, and as words that begin anywhere. */
export class Region {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly view: DataView;
  /** For each unit: 0, or one more than the class of the free block that begins there. */
  readonly free: Uint8Array;
  /** For each block of a nest's size: 1, if it is a nest. */
  readonly nests: Uint8Array;

  constructor(blockBytes: number) {
    // Not zeroed on purpose: untouched pages of the allocation cost no memory.
    const memory = Buffer.allocUnsafeSlow(blockBytes).buffer;
    this.bytes = new Uint8Array(memory);
    this.words = new Int32Array(memory);
    this.view = new DataView(memory);
    this.free = new Uint8Array(blockBytes / UNIT_BYTES);
    this.nests = new Uint8Array(Math.ceil(blockBytes / bytesOf(NEST_CLASS)));
  }
}

export class Arena {
  /** The class of a slab, which is the largest block there is. */
  readonly classMax: number;
  readonly #slabs: number;
  readonly #slabsPerRegion: number;
  readonly #regions: Region[] = [];
  /** For each class the free block to be taken next, and the last; in nests, and in the rest. */
  readonly #heads: number[];
  readonly #tails: number[];
  #slabsTouched = 0;
  /** The next quarter of the slab that is being begun. */
  #freshQuarter = NONE;
  #usedBytes = 0;

  constructor(limitBytes: number) {
    assert(limitBytes >= ARENA_BYTES_MIN, `the budget is at least ${ARENA_BYTES_MIN} bytes`);
    assert(limitBytes <= ARENA_BYTES_MAX, `the budget is at most ${ARENA_BYTES_MAX} bytes`);
    let classMax = CLASS_MAX;
    while (bytesOf(classMax) * SLABS_MIN > limitBytes) classMax -= 1;
    this.classMax = classMax;
    this.#slabs = Math.floor(limitBytes / bytesOf(classMax));
    this.#slabsPerRegion = REGION_WORDS / wordsOf(classMax);
    this.#heads = new Array<number>(NESTED + NEST_CLASS + 1).fill(NONE);
    this.#tails = [...this.#heads];
  }

  /** The bytes of all blocks that are taken. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** The bytes of all slabs that were ever used: what is resident. */
  get touchedBytes(): number {
    return this.#slabsTouched * bytesOf(this.classMax);
  }

  get limitBytes(): number {
    return this.#slabs * bytesOf(this.classMax);
  }

  /** Takes a block of this class, for a page or not; NONE when there is none, nor a slab left. */
  take(blockClass: number, isPage = false): number {
    let address = NONE;
    if (isPage && this.classMax > NEST_CLASS) {
      address = this.#takeNested(blockClass);
      if (address === NONE && this.#beginNest()) address = this.#takeNested(blockClass);
    }
    if (address === NONE) address = this.#takeCommon(blockClass);
    if (address === NONE) address = this.#takeNested(blockClass);
    if (address !== NONE) this.#usedBytes += bytesOf(blockClass);
    return address;
  }

  #takeCommon(blockClass: number): number {
    let from = blockClass;
    while (from <= this.classMax && this.#heads[from] === NONE) from += 1;
    let address: number;
    if (from <= this.classMax) {
      address = this.#heads[from] as number;
      this.#unlink(address, from);
    } else {
      address = this.#takeFresh(blockClass);
      if (address === NONE) return NONE;
      from = Math.max(blockClass, this.classMax - 1);
    }
    this.#split(address, from, blockClass);
    return address;
  }

  #takeNested(blockClass: number): number {
    for (let from = blockClass; from <= NEST_CLASS; from += 1) {
      const address = this.#heads[NESTED + from] as number;
      if (address === NONE) continue;
      this.#unlink(address, from);
      this.#split(address, from, blockClass);
      return address;
    }
    return NONE;
  }

  #beginNest(): boolean {
    const nest = this.#takeCommon(NEST_CLASS);
    if (nest === NONE) return false;
    this.region(nest).nests[local(nest) >>> NEST_SHIFT] = 1;
    this.#link(nest, NEST_CLASS);
    return true;
  }

  /** Frees all but the first part of this class of a larger block. */
  #split(address: number, blockClass: number, partClass: number): void {
    for (let size = blockClass - 1; size >= partClass; size -= 1) {
      for (let quarter = 3; quarter > 0; quarter -= 1) {
        this.#link(address + quarter * wordsOf(size), size);
      }
    }
  }

  /**
   * A slab that was never used, or a quarter of one: to touch memory for the first time takes the
   * kernel up to ten milliseconds for each large page.
   */
  #takeFresh(blockClass: number): number {
    const quarterWords = wordsOf(this.classMax - 1);
    const quarter = this.#freshQuarter;
    if (blockClass < this.classMax && quarter !== NONE) {
      const next = quarter + quarterWords;
      this.#freshQuarter = next % (4 * quarterWords) === 0 ? NONE : next;
      return quarter;
    }
    if (this.#slabsTouched === this.#slabs) return NONE;
    const slab = this.#freshSlab();
    if (blockClass < this.classMax) this.#freshQuarter = slab + quarterWords;
    return slab;
  }

  /** Gives a block back, and makes one of four where four quarters are free. */
  release(address: number, blockClass: number): void {
    assert(this.#freeMark(address) === 0, 'a block is given back once');
    this.#usedBytes -= bytesOf(blockClass);
    let block = address;
    let size = blockClass;
    while (size < this.classMax && this.#siblingsFree(block, size)) {
      const quarterWords = wordsOf(size);
      const parent = block & ~(4 * quarterWords - 1);
      for (let quarter = 0; quarter < 4; quarter += 1) {
        const sibling = parent + quarter * quarterWords;
        if (sibling !== block) this.#unlink(sibling, size);
      }
      block = parent;
      size += 1;
      if (size === NEST_CLASS) this.region(block).nests[local(block) >>> NEST_SHIFT] = 0;
    }
    this.#link(block, size);
  }

  /** The words of the region that an address lies in; `local(address)` is its place there. */
  words(address: number): Int32Array {
    return this.region(address).words;
  }

  /** The bytes of the region that an address lies in; they begin at `4 * local(address)`. */
  bytes(address: number): Uint8Array {
    return this.region(address).bytes;
  }

  /** The region that an address lies in. */
  region(address: number): Region {
    return this.#regions[address >>> REGION_SHIFT] as Region;
  }

  #freshSlab(): number {
    const slab = this.#slabsTouched;
    const number = Math.floor(slab / this.#slabsPerRegion);
    if (number === this.#regions.length) {
      const left = this.#slabs - number * this.#slabsPerRegion;
      const slabs = Math.min(left, this.#slabsPerRegion);
      this.#regions.push(new Region(slabs * bytesOf(this.classMax)));
    }
    this.#slabsTouched += 1;
    return slab * wordsOf(this.classMax);
  }

  #siblingsFree(address: number, blockClass: number): boolean {
    const quarterWords = wordsOf(blockClass);
    const parent = address & ~(4 * quarterWords - 1);
    for (let quarter = 0; quarter < 4; quarter += 1) {
      const sibling = parent + quarter * quarterWords;
      if (sibling !== address && this.#freeMark(sibling) !== blockClass + 1) return false;
    }
    return true;
  }

  #freeMark(address: number): number {
    return this.region(address).free[local(address) >>> UNIT_SHIFT] as number;
  }

  /** The list that a free block is in. */
  #listOf(address: number, blockClass: number): number {
    if (blockClass > NEST_CLASS) return blockClass;
    const isNested = this.region(address).nests[local(address) >>> NEST_SHIFT] === 1;
    return isNested ? NESTED + blockClass : blockClass;
  }

  /** Puts a block at the end of its list: its first word is the next, its second the previous. */
  #link(address: number, blockClass: number): void {
    const region = this.region(address);
    const at = local(address);
    const list = this.#listOf(address, blockClass);
    const previous = this.#tails[list] as number;
    region.words[at] = NONE;
    region.words[at + 1] = previous;
    region.free[at >>> UNIT_SHIFT] = blockClass + 1;
    if (previous === NONE) this.#heads[list] = address;
    else this.words(previous)[local(previous)] = address;
    this.#tails[list] = address;
  }

  #unlink(address: number, blockClass: number): void {
    const region = this.region(address);
    const at = local(address);
    const next = region.words[at] as number;
    const previous = region.words[at + 1] as number;
    const list = this.#listOf(address, blockClass);
    if (previous === NONE) this.#heads[list] = next;
    else this.words(previous)[local(previous)] = next;
    if (next === NONE) this.#tails[list] = previous;
    else this.words(next)[local(next) + 1] = previous;
    region.free[at >>> UNIT_SHIFT] = 0;
  }
}

/** The place of an address within its region's words. */
export function local(address: number): number {
  return address & LOCAL_MASK;
}
