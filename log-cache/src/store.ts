/**
 * The recent envelopes of all sources, in one budget of memory.
 *
 *     batch ──▶ source a  [ timeline · logs · metrics ]  ─┐
 *         └──▶ source b  [ timeline · logs · metrics ]  ─┼── blocks of one arena ── budget
 *         └──▶ …                                         ─┘
 *
 * What is lost, always counted in `expired`:
 *   - a source has more than `maxPerSource` envelopes, or takes more than `maxBytesPerSource`: see
 *     source.ts for which go;
 *   - the budget is used up: logs or metrics give, whichever have more of it for their weight, and
 *     of them the source that holds the most gives the envelopes that came to it first, a block of
 *     them or a thirty-second part. A block serves hundreds of puts, so the work is spread; and the
 *     quiet are left alone until the busiest are down to their size. When that is FLOOR_BYTES, a
 *     quiet one among the smallest gives all it has instead: a flood of sources does not wear down
 *     those that were there;
 *   - an envelope is larger than a slab (4 MiB, less when the budget is small): the envelope itself;
 *   - an envelope finds no block that is large enough, although a thirty-second of the budget lies
 *     idle, cut up: what came first to its own source, and if that does not help the envelope. Only
 *     blocks of a five-hundredth of the budget and more meet that often;
 *   - there are more than `maxSources`, or their ids take more than 256 bytes each on average: a
 *     quiet one among the smallest is forgotten whole.
 * A source that has nothing left is forgotten, with its counts.
 *
 * The budget covers segments and indexes. A source costs about 1 KiB of heap besides, which
 * `maxSources` bounds.
 *
 * Hot: one look-up per source that differs from the envelope before, no allocation per envelope.
 * store.bench.ts has the figures. Columns are read `as number` below the batch's count.
 */

import assert from 'node:assert/strict';
import type { Metrics } from '@standpipe/plumbing';
import { type Batch, ByteMap, nowNanoseconds } from '@standpipe/protos';
import { ARENA_BYTES_MAX, ARENA_BYTES_MIN, Arena, bytesOf, NONE } from './arena.ts';
import { Cursor } from './cursor.ts';
import { Folder } from './folder.ts';
import { type Lane, SEGMENT_HEAD_BYTES } from './lane.ts';
import type { MetaInfo } from './meta-info.ts';
import { type SourceFigures, type StoreMetrics, storeMetrics } from './metrics.ts';
import { createPools, type Pool, type Pools } from './pool.ts';
import { Ranks } from './ranks.ts';
import type { Room } from './room.ts';
import { Source, type SourceOptions, type Tally } from './source.ts';

export const MEMORY_LIMIT_BYTES_DEFAULT: number = 256 * 2 ** 20;
export const MEMORY_LIMIT_BYTES_MIN: number = ARENA_BYTES_MIN;
export const MEMORY_LIMIT_BYTES_MAX: number = ARENA_BYTES_MAX;
export const MAX_PER_SOURCE_DEFAULT = 100_000;
export const MAX_BYTES_PER_SOURCE_DEFAULT: number = 64 * 2 ** 20;
export const MAX_BYTES_PER_SOURCE_MIN: number = 16 * 1024;
export const MAX_SOURCES_DEFAULT = 100_000;

export interface StoreOptions {
  /** From MEMORY_LIMIT_BYTES_MIN to _MAX, 64 KiB to 8 GiB; rounded down to whole slabs. */
  readonly memoryLimitBytes?: number;
  readonly maxPerSource?: number;
  /** What a source's segments and index may take; at least MAX_BYTES_PER_SOURCE_MIN. */
  readonly maxBytesPerSource?: number;
  readonly maxSources?: number;
  readonly metrics: Metrics;
}

const EVICTIONS_MAX = 32;
/** Nobody gives for another's block while more than this part of the budget lies idle. */
const IDLE_PARTS = 32;
/** Small blocks make dear segments: they are used only while more than this part lies idle. */
const SCRAPS_PARTS = 64;
const ID_BYTES_MEAN_MAX = 256;
/** What a source is left with while a quiet one can be forgotten; less when the budget is small. */
const FLOOR_BYTES_MAX = 4096;
const FLOORS_MIN = 256;
/** How many sources are looked at for a quiet one. */
const QUIET_TRIES = 32;
const NANOSECONDS_PER_MS = 1_000_000n;

export class Store {
  readonly #arena: Arena;
  readonly #folder: Folder;
  readonly #pools: Pools = createPools();
  readonly #shared: SourceOptions;
  readonly #floorBytes: number;
  readonly #maxSources: number;
  readonly #envelopeBytesMax: number;
  readonly #sources = new ByteMap<Source>();
  /** The same once more, for walking over all of them. */
  readonly #all = new Set<Source>();
  readonly #ranks = new Ranks<Source>();
  readonly #tally: Tally = { stored: 0, expired: 0, mark: 0 };
  readonly #metrics: StoreMetrics;
  readonly #room: Room & { takenClass: number };
  /** The source that is being put to: it is not forgotten meanwhile, even if it has nothing left. */
  #current: Source | undefined;
  #idBytes = 0;
  #evictionMs = 0;

  constructor(options: StoreOptions) {
    this.#arena = new Arena(options.memoryLimitBytes ?? MEMORY_LIMIT_BYTES_DEFAULT);
    this.#folder = new Folder(this.#arena);
    this.#floorBytes = Math.min(FLOOR_BYTES_MAX, this.#arena.limitBytes / FLOORS_MIN);
    this.#maxSources = options.maxSources ?? MAX_SOURCES_DEFAULT;
    const maxCount = options.maxPerSource ?? MAX_PER_SOURCE_DEFAULT;
    const maxBytes = options.maxBytesPerSource ?? MAX_BYTES_PER_SOURCE_DEFAULT;
    assert(maxCount >= 1 && this.#maxSources >= 1, 'a store keeps at least one envelope');
    assert(maxBytes >= MAX_BYTES_PER_SOURCE_MIN, 'a source may take a few segments');
    this.#envelopeBytesMax = bytesOf(this.#arena.classMax) - SEGMENT_HEAD_BYTES;
    this.#room = {
      takenClass: 0,
      take: (blockClass, least, isPage) => this.#take(blockClass, least, isPage),
      release: (address, blockClass) => this.#arena.release(address, blockClass),
    };
    this.#shared = {
      arena: this.#arena,
      folder: this.#folder,
      pools: this.#pools,
      room: this.#room,
      tally: this.#tally,
      maxCount,
      maxBytes,
    };
    this.#metrics = storeMetrics(options.metrics, this);
  }

  /** How many envelopes are held. */
  get size(): number {
    return this.#tally.stored;
  }

  /** How many envelopes were given up, of all that were ever put. */
  get expired(): number {
    return this.#tally.expired;
  }

  get sourceCount(): number {
    return this.#sources.size;
  }

  /**
   * A number that does not fall. `mark` of a source is what it was at some time before the first of
   * what is still held of it came: all of that came since.
   */
  set mark(mark: number) {
    this.#tally.mark = mark;
  }

  /** Every source. They may come and go while they are walked: what is shown is there then. */
  get sources(): Iterable<Pick<Source, 'id' | 'count' | 'expired' | 'mark' | 'meta'>> {
    return this.#all;
  }

  /** The memory of all segments and indexes; never above the budget. */
  get usedBytes(): number {
    return this.#arena.usedBytes;
  }

  get limitBytes(): number {
    return this.#arena.limitBytes;
  }

  /** How long making room took, the last time that there was none. */
  get evictionMs(): number {
    return this.#evictionMs;
  }

  /** So many of the sources that take the most memory. */
  largest(count: number): readonly SourceFigures[] {
    return this.#ranks.largestOf(count);
  }

  /** How old the oldest envelope is that the store holds; 0, if it holds none. */
  periodMs(): number {
    let oldest: bigint | undefined;
    for (const { timeline } of this.#all) {
      if (oldest === undefined || timeline.oldest < oldest) oldest = timeline.oldest;
    }
    return oldest === undefined ? 0 : Number((nowNanoseconds() - oldest) / NANOSECONDS_PER_MS);
  }

  /** Keeps the envelopes of a scanned batch; only those with a 1 in `mine`, if that is given. */
  put(batch: Batch, mine?: Uint8Array): void {
    this.#metrics.ingress.add(this.restore(batch, mine));
  }

  /** The same for envelopes that came in long ago; says how many there were. */
  restore(batch: Batch, mine?: Uint8Array): number {
    const { count } = batch;
    const expired = this.#tally.expired;
    let ingress = 0;
    let previous = NONE;
    this.#folder.open(batch.bytes);
    for (let index = 0; index < count; index += 1) {
      if (mine !== undefined && mine[index] !== 1) continue;
      ingress += 1;
      if ((batch.end[index] as number) - (batch.start[index] as number) > this.#envelopeBytesMax) {
        this.#tally.expired += 1;
        continue;
      }
      if (this.#current === undefined || !isSameSource(batch, previous, index)) {
        this.#current = this.#sourceOf(batch, index);
      }
      previous = index;
      this.#keep(this.#current, batch, index);
    }
    this.#current = undefined;
    this.#metrics.expired.add(this.#tally.expired - expired);
    return ingress;
  }

  /** Adds to a source's count of expired envelopes those of an earlier process. */
  restoreExpired(sourceId: string, count: number): void {
    const source = this.#sources.getString(sourceId);
    if (source !== undefined) source.expired += count;
  }

  /** A cursor over a source, to be used in this turn of the event loop; nothing, if it is unknown. */
  cursor(sourceId: string): Cursor | undefined {
    const source = this.#sources.getString(sourceId);
    return source && new Cursor(this.#arena, source);
  }

  /** The ids of all sources that are there when the first is asked for. */
  *sourceIds(): Generator<string> {
    for (const { id } of [...this.#all]) yield id; // The ids one by one: all at once take long.
  }

  meta(): Map<string, MetaInfo> {
    const meta = new Map<string, MetaInfo>();
    for (const source of this.#all) meta.set(source.id, source.meta());
    return meta;
  }

  #keep(source: Source, batch: Batch, index: number): void {
    const held = source.heldBytes;
    source.touched = source.count > 0; // One that came only once counts as quiet.
    if (!source.put(batch, index)) {
      source.expired += 1;
      this.#tally.expired += 1;
    }
    if (source.count === 0) {
      this.#forget(source);
      this.#current = undefined;
    } else if (source.heldBytes !== held) {
      this.#rank(source);
    }
  }

  #rank(source: Source): void {
    source.chargeIndex();
    this.#ranks.update(source);
    if (source.logs !== undefined) this.#pools.logs.ranks.update(source.logs);
    if (source.metrics !== undefined) this.#pools.metrics.ranks.update(source.metrics);
  }

  /** Room for a source, made by eviction when there is none. */
  #take(blockClass: number, least: number, isPage = false): number {
    const wanted = Math.min(blockClass, this.#arena.classMax);
    // One class smaller will do as well, and any, before much of what is cut up lies idle.
    const isMuchIdle = this.#idleBytes > this.#arena.limitBytes / SCRAPS_PARTS;
    const smallest = isMuchIdle ? least : Math.max(least, wanted - 1);
    let address = this.#takeDownTo(wanted, smallest, isPage);
    if (address !== NONE) return address;
    const start = performance.now();
    for (let evictions = 0; address === NONE && evictions < EVICTIONS_MAX; evictions += 1) {
      if (this.#isCutUp(least) || !this.#evict()) break;
      // The first eviction most often frees just such a block; if not, a smaller one will do.
      address = this.#takeDownTo(wanted, least, isPage);
    }
    if (address === NONE && this.#current !== undefined) {
      this.#current.expireOldest(); // Most often such a block.
      address = this.#takeDownTo(wanted, least, isPage);
    }
    this.#evictionMs = performance.now() - start;
    return address;
  }

  /** Whether so much is free that others would most likely give for such a block in vain. */
  #isCutUp(blockClass: number): boolean {
    return this.#idleBytes > Math.max(this.#arena.limitBytes / IDLE_PARTS, bytesOf(blockClass));
  }

  get #idleBytes(): number {
    return this.#arena.limitBytes - this.#arena.usedBytes;
  }

  #takeDownTo(wanted: number, least: number, isPage: boolean): number {
    for (let blockClass = wanted; blockClass >= least; blockClass -= 1) {
      const address = this.#arena.take(blockClass, isPage);
      if (address === NONE) continue;
      this.#room.takenClass = blockClass;
      return address;
    }
    return NONE;
  }

  /** Frees some memory; false, if nobody has any to give. */
  #evict(): boolean {
    const { logs, metrics } = this.#pools;
    const pool = metrics.load > logs.load ? metrics : logs;
    const lane = pool.ranks.largest();
    if (lane === undefined) return false;
    if (lane.source.heldBytes > this.#floorBytes) this.#evictFrom(lane);
    else return this.#evictQuiet(pool);
    return true;
  }

  #evictFrom(lane: Lane): void {
    const { source } = lane;
    source.expireMemory(lane);
    lane.pool.ranks.place(lane);
    this.#settle(lane);
  }

  /** Takes all from a lane among the smallest, if possible one that had nothing put for a while. */
  #evictQuiet(pool: Pool): boolean {
    let lane = pool.ranks.smallest();
    for (let tries = 0; tries < QUIET_TRIES && lane !== undefined; tries += 1) {
      if (!lane.touched && lane.source !== this.#current) break;
      lane.touched = false;
      pool.ranks.place(lane);
      lane = pool.ranks.smallest();
    }
    if (lane === undefined) return false;
    while (lane.count > 0) lane.source.expireMemory(lane);
    this.#settle(lane);
    return true;
  }

  /** Sees to it that what has given all holds nothing any more. */
  #settle(lane: Lane): void {
    const { source } = lane;
    if (source === this.#current) return;
    if (source.count === 0) {
      this.#forget(source);
      return;
    }
    if (lane.count === 0) lane.shed();
    this.#rank(source);
  }

  #sourceOf(batch: Batch, index: number): Source {
    const start = batch.sourceStart[index] as number;
    const end = batch.sourceEnd[index] as number;
    const hash = batch.sourceHash[index] as number;
    return (
      this.#sources.get(batch.bytes, start, end, hash) ?? this.#newSource(batch, start, end, hash)
    );
  }

  #newSource(batch: Batch, start: number, end: number, hash: number): Source {
    const idBytes = end - start;
    while (
      this.#sources.size > 0 &&
      (this.#sources.size >= this.#maxSources ||
        this.#idBytes + idBytes > this.#maxSources * ID_BYTES_MEAN_MAX)
    ) {
      this.#forgetQuiet();
    }
    const source = new Source(batch.bytes.toString('utf8', start, end), this.#shared);
    this.#sources.set(batch.bytes, start, end, hash, source);
    this.#all.add(source);
    this.#idBytes += idBytes;
    this.#ranks.place(source);
    return source;
  }

  /** Forgets one of the smallest sources, if possible one that had nothing put for a while. */
  #forgetQuiet(): void {
    let source = this.#ranks.smallest();
    for (let tries = 0; tries < QUIET_TRIES && source?.touched; tries += 1) {
      source.touched = false;
      this.#ranks.place(source);
      source = this.#ranks.smallest();
    }
    assert(source !== undefined, 'every source is ranked');
    this.#forget(source);
  }

  #forget(source: Source): void {
    source.clear();
    this.#ranks.remove(source);
    for (const lane of [source.logs, source.metrics]) lane?.pool.ranks.drop(lane);
    this.#sources.deleteString(source.id);
    this.#all.delete(source);
    this.#idBytes -= Buffer.byteLength(source.id);
  }
}

/** Whether two envelopes of a batch have the same source, which most neighbours have. */
function isSameSource(batch: Batch, a: number, b: number): boolean {
  if (batch.sourceHash[a] !== batch.sourceHash[b]) return false;
  const aStart = batch.sourceStart[a] as number;
  const bStart = batch.sourceStart[b] as number;
  const length = (batch.sourceEnd[a] as number) - aStart;
  if ((batch.sourceEnd[b] as number) - bStart !== length) return false;
  const { bytes } = batch;
  for (let at = 0; at < length; at += 1) {
    if (bytes[aStart + at] !== bytes[bStart + at]) return false;
  }
  return true;
}
