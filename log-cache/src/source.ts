/**
 * All that is kept of one source: one timeline, and the envelopes' bytes in two lanes.
 *
 *     timeline   [ t1 │ t2 │ t2 │ t3 │ t5 ]          logs and metrics, in order of time
 *                   ╲   │    ╳    │   ╱
 *     lanes      logs │ … ⇄ …     metrics │ … ⇄ …    in order of arrival
 *
 * What is lost: for each envelope above `maxCount` the oldest by time, and beyond `maxBytes` what
 * came first, of that lane which has more for its weight (see pool.ts): a source's logs do not push
 * out its metrics. When the store needs memory, the segment of a lane that was begun first, whatever
 * the times in it: by time, many segments would lose a little and none would come free, once times
 * and arrival do not have the same order. A new envelope that is older than all of a full source is
 * itself the oldest. `expired` counts all of that.
 *
 * Hot: `put` is called for each envelope; columns and words are read `as number` because the index
 * is below the batch's count, and the address within a block.
 */

import assert from 'node:assert/strict';
import type { Batch } from '@standpipe/protos';
import { type Arena, bytesOf, local, NONE } from './arena.ts';
import type { Folder } from './folder.ts';
import { Lane } from './lane.ts';
import { type MetaDraft, type MetaInfo, metaDraft } from './meta-info.ts';
import { isMetric, type Pools } from './pool.ts';
import { type Ranked, UNRANKED } from './ranks.ts';
import type { Room } from './room.ts';
import { Timeline } from './timeline.ts';

/** Counts over all sources, and the store's mark: see there. */
export interface Tally {
  stored: number;
  expired: number;
  mark: number;
}

/** What the sources of a store have in common. */
export interface SourceOptions {
  readonly arena: Arena;
  readonly folder: Folder;
  readonly pools: Pools;
  readonly room: Room;
  readonly tally: Tally;
  readonly maxCount: number;
  readonly maxBytes: number;
}

/** Where the oldest of one lane stand behind the other's, this part of the cap goes at once. */
const SWEEPS_PER_CAP = 64;

/** How often a source gives up something for a block that would take it beyond its bytes. */
const TRIES_MAX = 64;

export class Source implements Ranked, Room {
  readonly id: string;
  readonly timeline: Timeline;
  /** How many envelopes of this source have been given up since it came. */
  expired = 0;
  /** Whether something was put since the store last looked for a quiet source. */
  touched = false;

  rank: number = UNRANKED;
  before: this | undefined;
  after: this | undefined;

  readonly #shared: SourceOptions;
  #logs: Lane | undefined;
  #metrics: Lane | undefined;
  #heldBytes = 0;

  constructor(id: string, shared: SourceOptions) {
    this.id = id;
    this.#shared = shared;
    this.timeline = new Timeline(shared.arena, this);
  }

  /** The memory of its segments and pages. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  get count(): number {
    return this.timeline.count;
  }

  /** The mark that the store had, at the latest, before any of its envelopes came. */
  get mark(): number {
    const none = Number.POSITIVE_INFINITY;
    return Math.min(this.#logs?.mark ?? none, this.#metrics?.mark ?? none);
  }

  get takenClass(): number {
    return this.#shared.room.takenClass;
  }

  /** The lanes that it has. */
  get logs(): Lane | undefined {
    return this.#logs;
  }

  get metrics(): Lane | undefined {
    return this.#metrics;
  }

  /** What is known of it; only when it has something. */
  meta(into: MetaDraft = metaDraft()): MetaInfo {
    const { arena } = this.#shared;
    const first = this.timeline.first();
    const last = this.timeline.last();
    const oldest = arena.words(first);
    const newest = arena.words(last);
    into.count = this.count;
    into.expired = this.expired;
    into.oldestHigh = oldest[local(first)] as number;
    into.oldestLow = oldest[local(first) + 1] as number;
    into.newestHigh = newest[local(last)] as number;
    into.newestLow = newest[local(last) + 1] as number;
    return into;
  }

  /** Keeps one envelope of the batch that the folder has open; false, if there is no memory. */
  put(batch: Batch, index: number): boolean {
    const kind = batch.kind[index] as number;
    const high = batch.timeHigh[index] as number;
    const low = batch.timeLow[index] as number;
    const lane = this.#laneOf(kind);
    if (this.timeline.count >= this.#shared.maxCount && !this.#makeWay(lane, high, low)) {
      this.#expire(1, 0);
      return true;
    }
    if (!lane.reserve(batch, index)) return false;
    const entry = this.timeline.insert(high, low);
    if (entry === NONE) return false;
    lane.write(entry, kind);
    lane.touched = lane.count > 1; // One that came only once counts as quiet.
    this.#shared.tally.stored += 1;
    return true;
  }

  /** Gives up what came first to a lane: a segment, or some of them. */
  expireMemory(lane: Lane): void {
    const count = lane.markOldest();
    this.timeline.sweep(lane, count);
    this.#expire(count, count);
    this.chargeIndex();
  }

  /** Gives up what came first to the lane that has more for its weight. */
  expireOldest(): void {
    const lane = this.#lessEntitled((one) => one.load);
    if (lane.count > 0) this.expireMemory(lane);
  }

  /** Has each lane count its part of the index as its own. */
  chargeIndex(): void {
    const logs = this.#logs;
    const metrics = this.#metrics;
    const bytes = this.#heldBytes - (logs?.segmentBytes ?? 0) - (metrics?.segmentBytes ?? 0);
    const part = (metrics?.count ?? 0) / Math.max(1, this.count);
    const ofMetrics = logs === undefined ? bytes : Math.floor(bytes * part);
    metrics?.chargeIndex(ofMetrics);
    logs?.chargeIndex(bytes - ofMetrics);
  }

  /** Gives up everything. The source must not be used again. */
  clear(): void {
    const { count } = this.timeline;
    for (let done = 0; done < count; done += 1) this.#dropFirst();
    this.#expire(count, count);
    this.#logs?.shed();
    this.#metrics?.shed();
    this.chargeIndex();
    assert.equal(this.#heldBytes, 0, 'what a source held is given back whole');
  }

  /** A block of memory, for which this source gives up something if it has its bytes. */
  take(blockClass: number, least: number, isPage = false): number {
    const { room, maxBytes } = this.#shared;
    let wanted = blockClass;
    while (wanted > least && bytesOf(wanted) > maxBytes / 4) wanted -= 1;
    for (let tries = 0; this.#heldBytes + bytesOf(wanted) > maxBytes; tries += 1) {
      const lane = this.#lessEntitled((one) => one.load);
      if (tries === TRIES_MAX || lane.count === 0) return NONE;
      this.expireMemory(lane);
    }
    const address = room.take(wanted, least, isPage);
    if (address !== NONE) this.#heldBytes += bytesOf(room.takenClass);
    return address;
  }

  release(address: number, blockClass: number): void {
    this.#heldBytes -= bytesOf(blockClass);
    this.#shared.room.release(address, blockClass);
  }

  #laneOf(kind: number): Lane {
    if (isMetric(kind)) {
      this.#metrics ??= this.#newLane(true);
      return this.#metrics;
    }
    this.#logs ??= this.#newLane(false);
    return this.#logs;
  }

  #newLane(isMetrics: boolean): Lane {
    const { arena, folder, pools, tally } = this.#shared;
    const pool = isMetrics ? pools.metrics : pools.logs;
    return new Lane({ source: this, pool, isMetrics, arena, folder, tally });
  }

  /** Makes way in a full source; false, if the new envelope of this lane and time is itself to go. */
  #makeWay(lane: Lane, high: number, low: number): boolean {
    const giver = this.#lessEntitled(({ count, pool }) => count / pool.weight);
    if (giver === lane && this.timeline.isBeforeAll(high, low)) return false;
    const words = this.#shared.arena.words(this.timeline.first());
    if (giver.owns(words[local(this.timeline.first()) + 3] as number)) {
      this.#dropFirst();
      this.#expire(1, 1);
      return true;
    }
    const count = Math.max(1, Math.min(giver.count, Math.floor(this.count / SWEEPS_PER_CAP)));
    giver.markAny();
    this.timeline.sweep(giver, count);
    this.#expire(count, count);
    return true;
  }

  /** The lane that has more of something for its weight. */
  #lessEntitled(of: (lane: Lane) => number): Lane {
    const logs = this.#logs;
    const metrics = this.#metrics;
    if (logs === undefined || metrics === undefined) {
      const only = logs ?? metrics;
      assert(only !== undefined, 'a source that is put to has a lane');
      return only;
    }
    return of(metrics) > of(logs) ? metrics : logs;
  }

  #dropFirst(): void {
    const entry = this.timeline.first();
    const words = this.#shared.arena.words(entry);
    const address = words[local(entry) + 2] as number;
    const last = words[local(entry) + 3] as number;
    this.timeline.dropFirst();
    const lane = this.#metrics?.owns(last) ? this.#metrics : this.#logs;
    assert(lane !== undefined, 'an envelope lies in a lane');
    lane.drop(address, last);
  }

  #expire(count: number, stored: number): void {
    this.expired += count;
    this.#shared.tally.expired += count;
    this.#shared.tally.stored -= stored;
  }
}
