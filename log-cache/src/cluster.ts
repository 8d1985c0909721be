/**
 * The caches of all zones, read as one.
 *
 *     read(source)  ──▶ zone az1: owner of the source ──┐
 *                   ──▶ zone az2: owner of the source ──┴─▶ merged by time
 *     meta          ──▶ every node of every zone ─────────▶ counts added, oldest and newest kept
 *
 * `ownerOf` names the owner in each zone; this node answers itself, the others are asked over gRPC,
 * each for its own store. A node that cannot be reached makes the answer poorer and never an
 * error: it is named in `unreachable`. Even when nobody answers a read, it is an empty batch, as
 * in log-cache-release v3.2.0; meta is an error then. A read that an owner refuses, because its
 * answer would be too large, is refused; one whose asker leaves is given up by all owners, which have
 * less time than he (until.ts). Each node
 * keeps its answer to meta for a second, and so does whoever asked it. When the nodes change, what is
 * being read is still read from the former, and former owners are asked for what they may still keep
 * (former-owners.ts).
 */

import { setMaxListeners } from 'node:events';
import { status } from '@grpc/grpc-js';
import type { Log, Zone } from '@standpipe/plumbing';
import { nowNanoseconds, ownerOf } from '@standpipe/protos';
import { AnswersInFlight } from './answers-in-flight.ts';
import { Cached } from './cached.ts';
import type { Clients } from './clients.ts';
import { FormerOwners } from './former-owners.ts';
import { EMPTY_BATCH, type LocalReader } from './local-reader.ts';
import { mergeBatches } from './merge.ts';
import { mergeMeta } from './merge-meta.ts';
import { checkReadBytes } from './message-limit.ts';
import { MalformedError } from './messages.ts';
import type { MetaInfo } from './meta-info.ts';
import { readFrom, type SearchResult } from './paged-search.ts';
import { canceled } from './read-error.ts';
import {
  type MetaResult,
  queryOf,
  ReadError,
  type Reader,
  type ReadRequest,
  type ReadResult,
} from './reader.ts';
import { isServiceError, refusalOf } from './refusals.ts';
import { type Until, untilForOthers } from './until.ts';

/** Which shard of which zone a node is. */
export interface Place {
  readonly zone: string;
  readonly index: number;
}

export interface ClusterReaderOptions {
  /** The caller's, who also closes those of nodes that are gone. */
  readonly clients: Clients;
  readonly log: Log;
  /** Reads the store of the node that this reader is part of; a front door has none. */
  readonly local?: LocalReader;
  /** Bounds what waits here for the answers of other zones. */
  readonly answers?: AnswersInFlight;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
}

/** One node, wherever it runs. */
interface Node {
  readonly name: string;
  readonly address: string;
  read(request: ReadRequest, until: Until): Promise<SearchResult>;
  meta(): Promise<ReadonlyMap<string, MetaInfo>>;
}

type Answer<T> = { readonly node: Node; readonly value: T | undefined };

export class ClusterReader implements Reader {
  readonly #clients: Clients;
  readonly #log: Log;
  readonly #local: LocalReader | undefined;
  readonly #answers: AnswersInFlight;
  readonly #localMeta: Cached<MetaResult>;
  readonly #clusterMeta: Cached<MetaResult>;
  readonly #formers: FormerOwners<Node>;
  #zones: readonly (readonly Node[])[] = [];

  constructor({ clients, log, local, answers, now = Date.now }: ClusterReaderOptions) {
    this.#clients = clients;
    this.#log = log;
    this.#local = local;
    this.#answers = answers ?? new AnswersInFlight();
    this.#formers = new FormerOwners(now);
    this.#clusterMeta = new Cached(() => this.#readMeta(), now);
    this.#localMeta = local ? new Cached(() => local.meta(true), now) : this.#clusterMeta; // A front door has nothing of its own.
  }

  /** Says which nodes there are, and which of them this one is, if it is one and knows which. */
  follow(zones: readonly Zone[], own?: Place): void {
    const before = this.#zones;
    this.#zones = zones.map(({ name, addresses }) =>
      addresses.map((address, index) => {
        const isOwn = own?.zone === name && own.index === index;
        return this.#nodeOf({ zone: name, index }, address, isOwn ? this.#local : undefined);
      }),
    );
    this.#formers.change(before, this.#zones);
  }

  /** Nodes that are no members any more, but still asked. */
  get formerAddresses(): readonly string[] {
    return this.#formers.left().map(({ address }) => address);
  }

  async read(request: ReadRequest, until: Until = {}): Promise<ReadResult> {
    // Checked here, so that a bad request is refused even when no owner can be reached.
    const { limit, descending } = queryOf(request, nowNanoseconds());
    const owners = this.#zones
      .map((nodes) => nodes[ownerOf(request.sourceId, nodes.length)])
      .filter((node) => node !== undefined);
    const formers = this.#formers.of(request.sourceId, request.startTime, owners);
    const untilThen = untilForOthers(until);
    if (until.gone !== undefined) setMaxListeners(0, until.gone); // One for each node that is asked.
    using hold = this.#answers.begin();
    const heldRead = async (node: Node): Promise<SearchResult> => {
      const found = await passingRefusals(node.read(request, untilThen));
      hold.resize(hold.byteLength + found.batch.byteLength);
      return found;
    };
    const answers = await Promise.all(
      // What a former owner has came first.
      [...formers, ...owners].map((node) => this.#ask(node, () => heldRead(node), until.gone)),
    );
    const filled = answers
      .map(({ value }) => value?.batch ?? EMPTY_BATCH)
      .filter(({ count }) => count > 0);
    const how = { limit, descending, withoutRepeats: formers.length > 0 };
    const batch =
      filled.length > 1
        ? await mergeBatches(filled, how, this.#clients.turns)
        : (filled[0] ?? EMPTY_BATCH);
    checkReadBytes(batch.byteLength);
    const missing = answers.filter(({ value }) => !value?.isWhole).map(({ node }) => node.name);
    return { batch, unreachable: missing };
  }

  meta(localOnly: boolean): Promise<MetaResult> {
    return (localOnly ? this.#localMeta : this.#clusterMeta).get();
  }

  async #readMeta(): Promise<MetaResult> {
    const nodes = [...this.#zones.flat(), ...this.#formers.left()];
    const answers = await Promise.all(nodes.map((node) => this.#ask(node, () => node.meta())));
    const maps = answers.map(({ value }) => value).filter((value) => value !== undefined);
    if (maps.length === 0) {
      throw new ReadError(status.UNKNOWN, 'failed to read meta data from remote node');
    }
    const sources = await mergeMeta(maps, this.#clients.turns);
    return { sources, unreachable: unreachable(answers) };
  }

  /** A node's answer; nothing, if it has none. Rejects only with a ReadError. */
  async #ask<T>(node: Node, question: () => Promise<T>, gone?: AbortSignal): Promise<Answer<T>> {
    try {
      return { node, value: await question() };
    } catch (error) {
      if (gone?.aborted) throw canceled(); // That there is no answer says nothing of the node.
      const isTheirs = error instanceof MalformedError || isServiceError(error);
      if (!isTheirs) throw error; // Refused, or a bug.
      const text = 'a log cache could not be asked';
      const { name, address } = node;
      this.#log.limited(`peer ${name}`, 'warn', { node: name, address, error }, text);
      if (this.#formers.strike(node)) await this.#clients.close(address);
      return { node, value: undefined };
    }
  }

  #nodeOf({ zone, index }: Place, address: string, local: LocalReader | undefined): Node {
    const name = `${encodeURIComponent(zone)}/${index}`; // Fit for a header.
    if (local) {
      return {
        name,
        address,
        read: async (request, until) => ({ ...(await local.read(request, until)), isWhole: true }),
        meta: async () => (await local.meta()).sources,
      };
    }
    const clients = this.#clients;
    return {
      name,
      address,
      read: (request, until) => readFrom(clients.of(address), request, { ...until, local: true }),
      meta: async () => (await clients.of(address).meta(true)).sources,
    };
  }
}

function unreachable(answers: readonly Answer<unknown>[]): string[] {
  return answers.filter(({ value }) => value === undefined).map(({ node }) => node.name);
}

/** Makes a ReadError of what a node refused to read; other errors stay what they are. */
async function passingRefusals<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw refusalOf(error) ?? error;
  }
}
