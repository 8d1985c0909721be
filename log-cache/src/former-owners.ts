/**
 * Who owned a source before the nodes changed, and may still keep its older envelopes.
 *
 *     now        az1: A B C      owner of x: C
 *     former     az1: A B        owner of x: B, asked as well for what came before the change
 *
 * When the nodes change, about one in n of the sources gets another owner, and what the former one
 * keeps stays there until it has aged out. It is asked as long as a read wants something of before
 * the change: so a reader that asks for the newest asks one node, as ever. The last LISTS_MAX lists
 * are remembered for a day. A former owner that is no member any more and can't be reached is struck
 * off: it has taken with it what it kept, and would be waited for each time.
 */

import { isLiteral } from '@standpipe/plumbing';
import { ownerOf } from '@standpipe/protos';

const LISTS_MAX = 8;
const AGE_MAX_MS = 24 * 60 * 60_000;
/** Envelopes take a while to come, and clocks and lists do not change everywhere at once. */
const SLACK_MS = 60_000;
const NANOSECONDS_PER_MS = 1_000_000n;

/** What is known of a node here. */
export interface Owner {
  readonly address: string;
}

/** The nodes of each zone, in the order of their index. */
export type ZonesOf<T> = readonly (readonly T[])[];

interface Former<T> {
  readonly zones: ZonesOf<T>;
  /** Milliseconds since 1970. */
  readonly endedAt: number;
}

export class FormerOwners<T extends Owner> {
  readonly #now: () => number;
  readonly #gone = new Set<string>();
  #lists: readonly Former<T>[] = [];
  #members: ReadonlySet<string> = new Set();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Remembers what was until now, and learns who there is from here on. */
  change(before: ZonesOf<T>, after: ZonesOf<T>): void {
    this.#members = new Set(after.flat().map(({ address }) => address));
    for (const address of this.#members) this.#gone.delete(address);
    if (before.length === 0 || isSame(before, after)) return;
    const ended = { zones: before, endedAt: this.#now() };
    this.#lists = [ended, ...this.#lists].slice(0, LISTS_MAX);
  }

  /** Who may keep envelopes of a source from `startTime` on, besides its owners of now. */
  of(sourceId: string, startTime: bigint, owners: readonly T[]): readonly T[] {
    if (this.#lists.length === 0) return [];
    const asked = new Set(owners.map(({ address }) => address));
    const formers: T[] = [];
    for (const { zones, endedAt } of this.#young()) {
      if (startTime >= BigInt(endedAt + SLACK_MS) * NANOSECONDS_PER_MS) continue;
      for (const nodes of zones) {
        const node = nodes[ownerOf(sourceId, nodes.length)];
        if (node === undefined || asked.has(node.address) || !this.#mayKeep(node)) continue;
        asked.add(node.address);
        formers.push(node);
      }
    }
    return formers;
  }

  /** All nodes that are no members any more and may still keep something. */
  left(): readonly T[] {
    const left = new Map<string, T>();
    for (const { zones } of this.#young()) {
      for (const node of zones.flat()) {
        if (this.#members.has(node.address) || !this.#mayKeep(node)) continue;
        left.set(node.address, node);
      }
    }
    return [...left.values()];
  }

  /** Strikes off a node that can't be reached; false, if it is a member, who may come back. */
  strike({ address }: T): boolean {
    if (this.#members.has(address)) return false;
    this.#gone.add(address);
    return true;
  }

  /** A name that was never resolved held a place, and nothing else. */
  #mayKeep({ address }: T): boolean {
    return !this.#gone.has(address) && isLiteral(address);
  }

  #young(): readonly Former<T>[] {
    const oldest = this.#now() - AGE_MAX_MS;
    if (this.#lists.some(({ endedAt }) => endedAt < oldest)) {
      this.#lists = this.#lists.filter(({ endedAt }) => endedAt >= oldest);
    }
    return this.#lists;
  }
}

function isSame(a: ZonesOf<Owner>, b: ZonesOf<Owner>): boolean {
  const addresses = (zones: ZonesOf<Owner>): string =>
    JSON.stringify(zones.map((nodes) => nodes.map(({ address }) => address)));
  return addresses(a) === addresses(b);
}
