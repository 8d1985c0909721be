/**
 * The heart of a Doppler: what comes in by one door leaves by every door that asked for it.
 *
 *     ingress ──▶ Router ──▶ log cache           every envelope
 *                       ├──▶ v2 subscriptions    those that their selectors fit
 *                       └──▶ v1 subscriptions    the same, converted while anyone reads v1
 *
 * The router never waits and nothing waits in it: a sink takes its part of a batch or drops it, and
 * counts what it drops. So one slow firehose holds back neither the agents nor another firehose,
 * and a Doppler needs no ring between ingress and here.
 *
 * Hot: `route` runs for each batch, and costs what the selector tree and the fan-out cost; see
 * router.bench.ts.
 */

import type { Batch } from '@standpipe/protos';
import { Draw } from './draw.ts';
import { Fanout, type Sink } from './fanout.ts';
import { SelectorTree } from './selector-tree.ts';
import type { Selector } from './selectors.ts';
import type { Registration } from './shards.ts';

/** What keeps recent envelopes. It copies what it wants to keep of the batch. */
export interface Cache {
  put(batch: Batch): void;
}

/** The way of a batch to those that read v1. */
export interface V1Door {
  /** Whether anyone reads v1: if not, nothing is converted. */
  readonly isWanted: boolean;
  route(batch: Batch): void;
}

/** What a subscription wants, and with whom it shares. */
export interface Interest {
  readonly selectors: readonly Selector[];
  /** Members with the same shard id share what the same selector fits; empty: with nobody. */
  readonly shardId: string;
  /** Gives the member its place in the order by which metrics are shared out; empty: none. */
  readonly deterministicName: string;
}

export interface RouterOptions {
  readonly cache: Cache;
  readonly v1?: V1Door;
  /** From 0 up to, but not including, 1. */
  readonly random?: () => number;
}

export class Router {
  readonly #cache: Cache;
  readonly #v1: V1Door | undefined;
  readonly #tree = new SelectorTree();
  readonly #fanout = new Fanout();
  readonly #draw: Draw;

  constructor({ cache, v1, random }: RouterOptions) {
    this.#cache = cache;
    this.#v1 = v1;
    this.#draw = new Draw(random);
  }

  /** Sends a scanned batch everywhere. All that keep it have it when this returns. */
  route(batch: Batch): void {
    this.routeV2(batch);
    if (this.#v1?.isWanted) this.#v1.route(batch);
  }

  /** Sends a batch everywhere but to those that read v1: it came as v1, and they have it. */
  routeV2(batch: Batch): void {
    this.#cache.put(batch);
    if (this.#tree.isEmpty) return;
    this.#tree.pick(batch, this.#draw);
    this.#fanout.deliver(batch);
  }

  /** Adds a subscription. It lasts until what is returned is disposed of. */
  subscribe(sink: Sink, { selectors, shardId, deterministicName }: Interest): Disposable {
    const member = this.#fanout.member(sink);
    const registered = selectors.map((selector) => {
      const registration: Registration = { member, shardId, name: deterministicName };
      this.#tree.add(selector, registration);
      return { selector, registration };
    });
    return {
      [Symbol.dispose]: () => {
        for (const { selector, registration } of registered.splice(0)) {
          this.#tree.remove(selector, registration);
        }
      },
    };
  }
}
