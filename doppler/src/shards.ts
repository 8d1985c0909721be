/**
 * Who gets an envelope, of those that asked for the same ones.
 *
 *     one node of the selector tree ──┬── shard ''    every member
 *                                     ├── shard 'a'   one of its members
 *                                     └── shard 'b'   one of its members
 *
 * One member of a shard is drawn at random for each envelope: there is no turn, no stickiness and
 * no notion of a slow member. Once any member of a shard has a deterministic name, the shard is
 * ordered by name and the envelope's hash decides instead, so that several Dopplers with the same
 * members agree (Loggregator v107.0.21). A member that registers twice counts twice.
 *
 * Hot: `pick` runs for each envelope of each node it fits; it allocates nothing. A shard is always
 * in the order of names, so that adding to it costs a search and a shift, and not a sort: one
 * request may add ten thousand members. Array reads are by indexes below the length, hence `as`.
 */

/** A subscription, as the selectors see it. */
export interface Member {
  /** The envelope with this index in the batch at hand is for this member. */
  pick(index: number): void;
}

/** One selector of one subscription, at the node that the selector names. */
export interface Registration {
  readonly member: Member;
  /** Empty: shares with nobody. */
  readonly shardId: string;
  /** The member's deterministic name; empty: none. */
  readonly name: string;
}

/** Draws a member for the envelope at hand. */
export interface Lottery {
  /** A number from 0 to `count - 1`, any with the same chance. */
  atRandom(count: number): number;
  /** A number from 0 to `count - 1` that is the same for equal metrics. */
  byHash(count: number): number;
}

interface Shard {
  readonly id: string;
  /** By the bytes of their names: those without one first, equal ones as they came. */
  readonly registrations: Registration[];
  isDeterministic: boolean;
}

export class Shards {
  readonly #everyone: Registration[] = [];
  readonly #shards: Shard[] = [];
  readonly #shardsById = new Map<string, Shard>();

  get isEmpty(): boolean {
    return this.#everyone.length === 0 && this.#shards.length === 0;
  }

  add(registration: Registration): void {
    const { shardId } = registration;
    if (shardId === '') {
      this.#everyone.push(registration);
      return;
    }
    let shard = this.#shardsById.get(shardId);
    if (!shard) {
      shard = { id: shardId, registrations: [], isDeterministic: false };
      this.#shardsById.set(shardId, shard);
      this.#shards.push(shard);
    }
    const { registrations } = shard;
    registrations.splice(placeAmong(registrations, registration.name), 0, registration);
    shard.isDeterministic = hasName(registrations);
  }

  /** Takes away what `add` was given; something else than that is nothing to take away. */
  remove(registration: Registration): void {
    if (registration.shardId === '') {
      removeFrom(this.#everyone, registration);
      return;
    }
    const shard = this.#shardsById.get(registration.shardId);
    if (!shard) return;
    removeFrom(shard.registrations, registration);
    shard.isDeterministic = hasName(shard.registrations);
    if (shard.registrations.length > 0) return;
    this.#shardsById.delete(shard.id);
    removeFrom(this.#shards, shard);
  }

  /** Gives the envelope to everyone without a shard, and to one member of each shard. */
  pick(index: number, lottery: Lottery): void {
    const everyone = this.#everyone;
    for (let at = 0; at < everyone.length; at += 1) {
      (everyone[at] as Registration).member.pick(index);
    }
    const shards = this.#shards;
    for (let at = 0; at < shards.length; at += 1) {
      const { registrations, isDeterministic } = shards[at] as Shard;
      const { length } = registrations;
      let drawn = 0;
      if (length > 1) drawn = isDeterministic ? lottery.byHash(length) : lottery.atRandom(length);
      (registrations[drawn] as Registration).member.pick(index);
    }
  }
}

/** Where a name belongs: behind all that are not greater. */
function placeAmong(registrations: readonly Registration[], name: string): number {
  const bytes = Buffer.from(name);
  let low = 0;
  let high = registrations.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = registrations[middle] as Registration;
    if (Buffer.compare(Buffer.from(other.name), bytes) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether any has a name: if so, the last has. */
function hasName(registrations: readonly Registration[]): boolean {
  return (registrations.at(-1)?.name ?? '') !== '';
}

function removeFrom<T>(list: T[], item: T): void {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
}
