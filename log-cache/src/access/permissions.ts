/**
 * Who may read which source: an administrator every one, others what Cloud Controller shows them.
 *
 * A yes is kept for a while (CACHE_EXPIRATION_INTERVAL, a minute), SOURCES_MAX of them over all
 * tokens; a no is asked again each time, for the app may have just been made. A list of all that
 * somebody sees is kept for LIST_MS, so that the several requests of one page of a dashboard share
 * one; so are the GUIDs of apps by their names, and each of them is a yes. More than ASKED_SINGLY_MAX
 * sources that a query is about are looked up in that list, and those in it are a yes each. Requests
 * that ask the same at the same time wait for one answer.
 */

import { createHash } from 'node:crypto';
import type { Clock, Metrics } from '@standpipe/plumbing';
import { accessEvictions } from './access-metrics.ts';
import type { CloudController } from './cloud-controller.ts';
import { ExpiringMap } from './expiring-map.ts';
import type { Identity } from './tokens.ts';

const SOURCES_MAX = 100_000;
const LISTS_MAX = 1000;
const LIST_MS = 2000;
/** A list costs Cloud Controller more than an app does, and it takes two requests to ask for a no. */
const ASKED_SINGLY_MAX = 20;

const NOTHING: ReadonlySet<string> = new Set();
const NOBODY: GuidsByName = new Map();

type GuidsByName = ReadonlyMap<string, readonly string[]>;

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
  readonly #names: ExpiringMap<GuidsByName>;
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
    this.#names = new ExpiringMap({
      max: LISTS_MAX,
      ageMs: LIST_MS,
      clock,
      onEvict: () => accessEvictions(metrics, 'names').add(1),
    });
  }

  async mayRead(reader: Identity, sourceId: string): Promise<boolean> {
    if (reader.isAdmin) return true;
    const key = rightOf(reader.digest, sourceId);
    if (this.#allowed.get(key) === true) return true;
    const sees = await this.#once(key, () => this.#cloudController.sees(reader, sourceId));
    if (sees) this.#allowed.set(key, true);
    return sees;
  }

  /** Those of several sources that somebody may read. */
  async readableOf(identity: Identity, ids: readonly string[]): Promise<ReadonlySet<string>> {
    if (identity.isAdmin) return new Set(ids);
    const { digest } = identity;
    const readable = new Set(ids.filter((id) => this.#allowed.get(rightOf(digest, id)) === true));
    const others = ids.filter((id) => !readable.has(id));
    const isMany = others.length > ASKED_SINGLY_MAX;
    const found = isMany ? this.#listedOf(identity, others) : this.#askedOf(identity, others);
    for (const id of await found) readable.add(id);
    return readable;
  }

  /** All that somebody may read; undefined is everything. What can't be found out is nothing. */
  async sourcesOf(reader: Identity): Promise<ReadonlySet<string> | undefined> {
    if (reader.isAdmin) return undefined;
    const { digest } = reader;
    const known = this.#lists.get(digest);
    if (known !== undefined) return known;
    const listed = await this.#once(digest, () => this.#cloudController.sourcesOf(reader));
    if (listed !== undefined) this.#lists.set(digest, listed);
    return listed ?? NOTHING;
  }

  /** The GUIDs of the apps of these names that somebody sees, and so may read; of several, all. */
  async guidsByName(reader: Identity, names: readonly string[]): Promise<GuidsByName> {
    const { digest, isAdmin } = reader;
    if (names.length === 0) return NOBODY;
    const key = `${digest} names ${digestOf(names)}`;
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const found = await this.#once(key, () => this.#cloudController.guidsByName(reader, names));
    this.#names.set(key, found);
    if (!isAdmin) {
      for (const guid of [...found.values()].flat()) this.#allowed.set(rightOf(digest, guid), true);
    }
    return found;
  }

  async #askedOf(identity: Identity, ids: readonly string[]): Promise<readonly string[]> {
    const answers = await Promise.all(ids.map((id) => this.mayRead(identity, id)));
    return ids.filter((_, index) => answers[index]);
  }

  async #listedOf(identity: Identity, ids: readonly string[]): Promise<readonly string[]> {
    const listed = (await this.sourcesOf(identity)) ?? NOTHING;
    const found = ids.filter((id) => listed.has(id));
    for (const id of found) this.#allowed.set(rightOf(identity.digest, id), true);
    return found;
  }

  async #once<T>(key: string, ask: () => Promise<T>): Promise<T> {
    // What is asked by one key always has one type: a source of a token, its list, or its names.
    const asking = this.#asking.get(key) as Promise<T> | undefined;
    if (asking !== undefined) return asking;
    const answer = ask().finally(() => this.#asking.delete(key));
    this.#asking.set(key, answer);
    return answer;
  }
}

/** Stands for names, of which there may be many. */
function digestOf(names: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(names)).digest('base64');
}

/** What a token's right to read a source is remembered by. */
function rightOf(digest: string, sourceId: string): string {
  return `${digest} source ${sourceId}`;
}
