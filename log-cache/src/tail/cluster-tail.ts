/** One reader's tail of a source over all zones; see cluster-tails.ts. */

import { setTimeout as wait } from 'node:timers/promises';
import { Backoff, type Log } from '@standpipe/plumbing';
import { nowNanoseconds, PackedBatch } from '@standpipe/protos';
import { MalformedError } from '../messages.ts';
import type { ReadRequest } from '../reader.ts';
import { isServiceError, refusalOf } from '../refusals.ts';
import { Handoff } from './handoff.ts';
import type { Place, ZoneChunk, ZonesRequest } from './tail.ts';

const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 3000;
const NOTHING = new PackedBatch(Buffer.alloc(0), 0);

/** What one owner is asked. */
interface OwnerRequest {
  readonly read: ReadRequest;
  readonly backlog: boolean;
  readonly place: Place | undefined;
}

/** Who has the source in one zone. */
export interface Owner {
  readonly zone: string;
  /** ZONE/INDEX. */
  readonly name: string;
  readonly address: string;
  open(request: OwnerRequest, gone: AbortSignal): AsyncIterable<ZoneChunk>;
}

interface Following {
  readonly owner: Owner;
  readonly left: AbortController;
}

export class ClusterTail {
  readonly #request: ZonesRequest;
  readonly #log: Log;
  readonly #openedAt = nowNanoseconds();
  readonly #places: Map<string, Place>;
  readonly #following = new Map<string, Following>();
  readonly #missing = new Set<string>();
  readonly #handoff = new Handoff<ZoneChunk>();
  #error: unknown;

  constructor({ request, log }: { readonly request: ZonesRequest; readonly log: Log }) {
    this.#request = request;
    this.#log = log;
    this.#places = new Map(request.after);
  }

  /** Says who has the source from here on, one for each zone. */
  follow(owners: readonly Owner[]): void {
    const zones = new Set(owners.map(({ zone }) => zone));
    for (const [zone, { owner }] of this.#following) {
      if (!zones.has(zone)) this.#leave(zone, owner);
    }
    for (const owner of owners) {
      const known = this.#following.get(owner.zone)?.owner;
      if (known?.address === owner.address && known.name === owner.name) continue;
      if (known !== undefined) this.#leave(owner.zone, known);
      const left = new AbortController();
      this.#following.set(owner.zone, { owner, left });
      void this.#follow(owner, left.signal);
    }
  }

  /** What comes, until this is closed. Rejects with the ReadError of an owner that refuses. */
  async *chunks(): AsyncGenerator<ZoneChunk> {
    for (;;) {
      const chunk = await this.#handoff.take();
      if (chunk === undefined) break;
      yield chunk;
    }
    if (this.#error !== undefined) throw this.#error;
  }

  close(): void {
    for (const { left } of this.#following.values()) left.abort();
    this.#following.clear();
    this.#handoff.close();
  }

  #leave(zone: string, owner: Owner): void {
    this.#following.get(zone)?.left.abort();
    this.#following.delete(zone);
    this.#found(owner);
  }

  async #follow(owner: Owner, left: AbortSignal): Promise<void> {
    const backoff = new Backoff({ firstMs: RETRY_FIRST_MS, maxMs: RETRY_MAX_MS });
    for (let tries = 0; !left.aborted; tries += 1) {
      try {
        for await (const chunk of owner.open(this.#requestOf(owner.zone, tries), left)) {
          if (left.aborted) return;
          backoff.reset();
          this.#found(owner);
          await this.#give(owner, chunk);
        }
      } catch (error) {
        if (left.aborted) return;
        if (!this.#canRetry(owner, error)) return;
      }
      if (left.aborted) return;
      this.#lost(owner);
      await wait(backoff.next(), undefined, { signal: left }).catch(() => undefined);
    }
  }

  /** What was missed since the tail was opened is wanted of an owner that could not be reached. */
  #requestOf(zone: string, tries: number): OwnerRequest {
    const { read, backlog } = this.#request;
    const place = this.#places.get(zone);
    if (tries === 0 || backlog || place !== undefined) return { read, backlog, place };
    return { read: { ...read, startTime: this.#openedAt }, backlog: true, place };
  }

  async #give({ zone }: Owner, chunk: ZoneChunk): Promise<void> {
    await this.#handoff.give({ ...chunk, zone });
    if (chunk.place !== undefined) this.#places.set(zone, chunk.place);
  }

  /** Whether another try may help; if not, the tail has failed. */
  #canRetry(owner: Owner, error: unknown): boolean {
    const refusal = refusalOf(error);
    if (refusal === undefined && (isServiceError(error) || error instanceof MalformedError)) {
      const text = 'a source can not be followed at its owner';
      this.#log.limited(`tail ${owner.name}`, 'warn', { node: owner.name, error }, text);
      return true;
    }
    this.#error = refusal ?? error;
    this.close();
    return false;
  }

  #found({ name }: Owner): void {
    if (this.#missing.delete(name)) this.#tellMissing();
  }

  #lost({ name }: Owner): void {
    if (this.#missing.has(name)) return;
    this.#missing.add(name);
    this.#tellMissing();
  }

  #tellMissing(): void {
    const missing = [...this.#missing].sort();
    const chunk = { zone: '', batch: NOTHING, place: undefined, gaps: [], missing };
    void this.#handoff.give(chunk);
  }
}
