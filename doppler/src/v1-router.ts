/**
 * Finds the v1 subscriptions that want an envelope, by its app id and by whether it is a log.
 *
 *     any app ────────┬── all ── Shards
 *     app 'a' ────────┤── logs ── Shards
 *     app 'system' ───┘── metrics ── Shards
 *
 * As with v2, a subscription stands at the one node that its filter names, shards are formed at
 * each node apart, and one member of a shard is drawn at random (Loggregator v107.0.21). Whatever
 * belongs to no app is of the app `system`. An envelope with an empty app id is for those only
 * that want any app.
 *
 * Batches of v2 are converted here: once, however many read v1, and not at all while nobody does.
 * What a conversion leaves out because one batch would grow too large counts as dropped.
 *
 * Hot: two lookups per envelope, and no allocation; the conversion costs far more. The columns are
 * read at indexes below the batch's count, hence `as`.
 */

import type { Log } from '@standpipe/plumbing';
import { type Batch, ByteMap, ToV1, type V1Batch } from '@standpipe/protos';
import { Draw } from './draw.ts';
import { Fanout, type Sink } from './fanout.ts';
import type { DopplerMetrics } from './metrics.ts';
import type { V1Door } from './router.ts';
import { type Lottery, type Registration, Shards } from './shards.ts';

/** What a v1 subscription asks for. */
export interface V1Filter {
  /** The app whose envelopes are wanted; empty: those of any. */
  readonly appId: string;
  readonly wants: 'all' | 'logs' | 'metrics';
}

export interface V1Interest {
  readonly filter: V1Filter;
  /** Members with the same shard id share what the same filter fits; empty: with nobody. */
  readonly shardId: string;
}

export interface V1RouterOptions {
  readonly metrics: DopplerMetrics;
  readonly log: Log;
  /** From 0 up to, but not including, 1. */
  readonly random?: () => number;
}

/** Those that want the envelopes of one app, or of any. */
class AppNode {
  readonly all = new Shards();
  readonly logs = new Shards();
  readonly metrics = new Shards();

  get isEmpty(): boolean {
    return this.all.isEmpty && this.logs.isEmpty && this.metrics.isEmpty;
  }

  pick(index: number, isLog: boolean, lottery: Lottery): void {
    this.all.pick(index, lottery);
    if (isLog) this.logs.pick(index, lottery);
    else this.metrics.pick(index, lottery);
  }
}

export class V1Router implements V1Door {
  readonly #toV1 = new ToV1();
  readonly #metrics: DopplerMetrics;
  readonly #log: Log;
  readonly #any = new AppNode();
  readonly #byApp = new ByteMap<AppNode>();
  readonly #fanout = new Fanout();
  readonly #draw: Draw;
  #subscriptionCount = 0;

  constructor({ metrics, log, random }: V1RouterOptions) {
    this.#metrics = metrics;
    this.#log = log;
    this.#draw = new Draw(random);
  }

  get isWanted(): boolean {
    return this.#subscriptionCount > 0;
  }

  /** Converts a batch and hands it on. */
  route(batch: Batch): void {
    const converted = this.#toV1.convert(batch);
    if (converted.dropped > 0) this.#countLeftOut(converted.dropped);
    this.routeV1(converted);
  }

  /** Hands on envelopes that are v1 already. */
  routeV1(batch: V1Batch): void {
    const { count, apps, appStart, appEnd, appHash, isLog } = batch;
    const hasApps = this.#byApp.size > 0;
    for (let index = 0; index < count; index += 1) {
      const isOne = isLog[index] === 1;
      this.#any.pick(index, isOne, this.#draw);
      if (!hasApps) continue;
      const start = appStart[index] as number;
      const end = appEnd[index] as number;
      const app = this.#byApp.get(apps, start, end, appHash[index] as number);
      app?.pick(index, isOne, this.#draw);
    }
    this.#fanout.deliver(batch);
  }

  /** Adds a subscription. It lasts until what is returned is disposed of. */
  subscribe(sink: Sink, { filter, shardId }: V1Interest): Disposable {
    const { appId, wants } = filter;
    const registration: Registration = { member: this.#fanout.member(sink), shardId, name: '' };
    const node = appId === '' ? this.#any : (this.#byApp.getString(appId) ?? new AppNode());
    if (appId !== '') this.#byApp.setString(appId, node);
    node[wants].add(registration);
    this.#subscriptionCount += 1;
    let isOpen = true;
    return {
      [Symbol.dispose]: () => {
        if (!isOpen) return;
        isOpen = false;
        node[wants].remove(registration);
        if (appId !== '' && node.isEmpty) this.#byApp.deleteString(appId);
        this.#subscriptionCount -= 1;
      },
    };
  }

  #countLeftOut(count: number): void {
    this.#metrics.droppedEgress.add(count);
    const text = 'left out v1 envelopes of a batch that grew too large';
    this.#log.limited('v1 left out', 'warn', { count }, text);
  }
}
