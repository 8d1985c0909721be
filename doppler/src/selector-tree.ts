/**
 * Finds those that want an envelope by what the envelope is, without asking each of them.
 *
 *     any source ───────┬── kind ──┬── whatever the name ── Shards
 *     source 'a' ───────┤          └── name, or set of names ── Shards
 *     source 'b' ───────┘
 *
 * Each selector of a subscription stands at its own node and knows nothing of the others: one
 * subscription with overlapping selectors is told twice, and shards are formed at each node apart
 * (Loggregator v107.0.21). An envelope visits at most four nodes, however many subscriptions there
 * are: one map lookup by its source, and one by its name where somebody asked by name.
 *
 * A gauge is found by the sum of the CRC-64 of its metrics' names, as in the original: so a
 * selector that names a metric twice fits nothing, and one that names only '' also fits gauges
 * without metrics. The sum's 64 bits are compared only where its remainder fits already.
 *
 * Hot: `pick` allocates nothing, but for a BigInt where a set of gauge names fits. The columns are
 * read at indexes below the batch's count, hence `as`.
 */

import { type Batch, ByteMap, Crc64Sum, hashBytes, Kind } from '@standpipe/protos';
import type { Draw } from './draw.ts';
import type { Selector } from './selectors.ts';
import { type Registration, Shards } from './shards.ts';

/** What the sum of a gauge's names is divided by to look it up: enough to keep buckets short. */
const BUCKETS = 2 ** 20;

interface NameSet {
  readonly sum: bigint;
  readonly shards: Shards;
}

/** Those that want one kind of envelope, of one source or of any. */
class KindNode {
  readonly #unnamed = new Shards();
  readonly #byName = new ByteMap<Shards>();
  readonly #byNames = new Map<number, NameSet[]>();

  get isEmpty(): boolean {
    return this.#unnamed.isEmpty && this.#byName.size === 0 && this.#byNames.size === 0;
  }

  add({ kind, names }: Selector, registration: Registration): void {
    const [name] = names;
    if (name === undefined) {
      this.#unnamed.add(registration);
    } else if (kind === Kind.gauge) {
      this.#nameSet(names, true)?.shards.add(registration);
    } else {
      const shards = this.#byName.getString(name) ?? new Shards();
      this.#byName.setString(name, shards);
      shards.add(registration);
    }
  }

  remove({ kind, names }: Selector, registration: Registration): void {
    const [name] = names;
    if (name === undefined) {
      this.#unnamed.remove(registration);
    } else if (kind === Kind.gauge) {
      this.#nameSet(names, false)?.shards.remove(registration);
      this.#forgetEmptySets(names);
    } else {
      const shards = this.#byName.getString(name);
      shards?.remove(registration);
      if (shards?.isEmpty) this.#byName.deleteString(name);
    }
  }

  pick(batch: Batch, index: number, draw: Draw): void {
    this.#unnamed.pick(index, draw);
    if (this.#byName.size > 0) {
      const start = batch.nameStart[index] as number;
      const end = batch.nameEnd[index] as number;
      const hash = hashBytes(batch.bytes, start, end);
      this.#byName.get(batch.bytes, start, end, hash)?.pick(index, draw);
    }
    if (this.#byNames.size > 0) this.#pickByNames(index, draw);
  }

  #pickByNames(index: number, draw: Draw): void {
    const names = draw.names();
    const bucket = this.#byNames.get(names.modulo(BUCKETS));
    if (!bucket) return;
    const sum = names.value();
    for (const set of bucket) if (set.sum === sum) set.shards.pick(index, draw);
  }

  #nameSet(names: readonly string[], isWanted: boolean): NameSet | undefined {
    const key = sumOf(names);
    const sum = key.value();
    const bucket = this.#byNames.get(key.modulo(BUCKETS)) ?? [];
    let set = bucket.find((candidate) => candidate.sum === sum);
    if (set || !isWanted) return set;
    set = { sum, shards: new Shards() };
    this.#byNames.set(key.modulo(BUCKETS), [...bucket, set]);
    return set;
  }

  #forgetEmptySets(names: readonly string[]): void {
    const key = sumOf(names).modulo(BUCKETS);
    const left = (this.#byNames.get(key) ?? []).filter(({ shards }) => !shards.isEmpty);
    if (left.length > 0) this.#byNames.set(key, left);
    else this.#byNames.delete(key);
  }
}

/** Those that want envelopes of one source, or of any, by kind. */
class SourceNode {
  readonly kinds: (KindNode | undefined)[] = new Array<KindNode | undefined>(6).fill(undefined);

  get isEmpty(): boolean {
    return this.kinds.every((node) => node === undefined);
  }

  add(selector: Selector, registration: Registration): void {
    const node = this.kinds[selector.kind] ?? new KindNode();
    this.kinds[selector.kind] = node;
    node.add(selector, registration);
  }

  remove(selector: Selector, registration: Registration): void {
    const node = this.kinds[selector.kind];
    node?.remove(selector, registration);
    if (node?.isEmpty) this.kinds[selector.kind] = undefined;
  }
}

export class SelectorTree {
  readonly #any = new SourceNode();
  readonly #bySource = new ByteMap<SourceNode>();
  #registrationCount = 0;

  get isEmpty(): boolean {
    return this.#registrationCount === 0;
  }

  add(selector: Selector, registration: Registration): void {
    this.#registrationCount += 1;
    const { sourceId } = selector;
    if (sourceId === '') {
      this.#any.add(selector, registration);
      return;
    }
    const node = this.#bySource.getString(sourceId) ?? new SourceNode();
    this.#bySource.setString(sourceId, node);
    node.add(selector, registration);
  }

  /** Takes away what `add` was given: the same registration, once. */
  remove(selector: Selector, registration: Registration): void {
    this.#registrationCount -= 1;
    const { sourceId } = selector;
    if (sourceId === '') {
      this.#any.remove(selector, registration);
      return;
    }
    const node = this.#bySource.getString(sourceId);
    node?.remove(selector, registration);
    if (node?.isEmpty) this.#bySource.deleteString(sourceId);
  }

  /** Tells each member, envelope by envelope, which of the batch are for it. */
  pick(batch: Batch, draw: Draw): void {
    const { count, kind, bytes, sourceStart, sourceEnd, sourceHash } = batch;
    const any = this.#any.kinds;
    const bySource = this.#bySource;
    const hasSources = bySource.size > 0;
    for (let index = 0; index < count; index += 1) {
      const itsKind = kind[index] as number;
      if (itsKind === Kind.none) continue;
      draw.over(batch, index);
      any[itsKind]?.pick(batch, index, draw);
      if (!hasSources) continue;
      const start = sourceStart[index] as number;
      const end = sourceEnd[index] as number;
      const source = bySource.get(bytes, start, end, sourceHash[index] as number);
      source?.kinds[itsKind]?.pick(batch, index, draw);
    }
  }
}

function sumOf(names: readonly string[]): Crc64Sum {
  const sum = new Crc64Sum();
  for (const name of names) {
    const bytes = Buffer.from(name);
    sum.add(bytes, 0, bytes.length);
  }
  return sum;
}
