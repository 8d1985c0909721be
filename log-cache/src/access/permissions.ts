/**
 * Who may read which source: an administrator every one, others what Cloud Controller shows them.
 *
 * A yes is kept for a while (CACHE_EXPIRATION_INTERVAL, a minute), SOURCES_MAX of them over all
 * tokens; a no is asked again each time, for the app may have just been made. A list of all that
 * somebody sees is kept for LIST_MS, so that the several requests of one page of a dashboard share
 * one. Requests that ask the same at the same time wait for one answer.
 */

import type { Clock, Metrics } from '@standpipe/plumbing';
import { accessEvictions } from './access-metrics.ts';
import type { CloudController } from './cloud-controller.ts';
import { ExpiringMap } from './expiring-map.ts';
import type { Identity } from './tokens.ts';

const SOURCES_MAX = 100_000;
const LISTS_MAX = 1000;
const LIST_MS = 2000;

const NOTHING: ReadonlySet<string> = new Set();

export interface PermissionsOptions {
  readonly cloudController: CloudController;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** How long a yes is kept. */
  readonly keptMs: number;
}

export class Permissions {
  readonly #cloudController: CloudController;
  readonly #allowed: ExpiringMap<true>;
  readonly #lists: ExpiringMap<ReadonlySet<string>>;
  readonly #asking = new Map<string, Promise<unknown>>();

  constructor({ cloudController, clock, metrics, keptMs }: PermissionsOptions) {
    this.#cloudController = cloudController;
    this.#allowed = new ExpiringMap({
      max: SOURCES_MAX,
      ageMs: keptMs,
      clock,
      onEvict: () => accessEvictions(metrics, 'sources').add(1),
    });
    this.#lists = new ExpiringMap({
      max: LISTS_MAX,
      ageMs: LIST_MS,
      clock,
      onEvict: () => accessEvictions(metrics, 'lists').add(1),
    });
  }

  async mayRead({ isAdmin, token, digest }: Identity, sourceId: string): Promise<boolean> {
    if (isAdmin) return true;
    const key = `${digest} ${sourceId}`;
    if (this.#allowed.get(key) === true) return true;
    const sees = await this.#once(key, () => this.#cloudController.sees(token, sourceId));
    if (sees) this.#allowed.set(key, true);
    return sees;
  }

  /** All that somebody may read; undefined is everything. What can't be found out is nothing. */
  async sourcesOf({ isAdmin, token, digest }: Identity): Promise<ReadonlySet<string> | undefined> {
    if (isAdmin) return undefined;
    const known = this.#lists.get(digest);
    if (known !== undefined) return known;
    const listed = await this.#once(digest, () => this.#cloudController.sourcesOf(token));
    if (listed !== undefined) this.#lists.set(digest, listed);
    return listed ?? NOTHING;
  }

  async #once<T>(key: string, ask: () => Promise<T>): Promise<T> {
    // What is asked by one key always has one type: a source of a token, or the list of one.
    const asking = this.#asking.get(key) as Promise<T> | undefined;
    if (asking !== undefined) return asking;
    const answer = ask().finally(() => this.#asking.delete(key));
    this.#asking.set(key, answer);
    return answer;
  }
}
