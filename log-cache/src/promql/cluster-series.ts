/**
 * The series of all zones, as one.
 *
 *     source_id="a"      ──▶ the owner of a in each zone, and who owned it before
 *     no source named    ──▶ every node
 *
 * This node's own store is read here; the others give their series over gRPC (series-client.ts). A
 * node that can't be reached makes the answer poorer and never an error: it is named in
 * `unreachable`.
 */

import type { Log, Zone } from '@standpipe/plumbing';
import { ownerOf } from '@standpipe/protos';
import type { Clients } from '../clients.ts';
import type { Place } from '../cluster.ts';
import { FormerOwners } from '../former-owners.ts';
import { MalformedError } from '../messages.ts';
import { isServiceError } from '../refusals.ts';
import { mergeSeries } from './merge-series.ts';
import type { Pace, Selected, Selection, Series, SeriesSource } from './series.ts';
import { selectFrom } from './series-client.ts';
import { sourcesOf } from './sources.ts';

export interface ClusterSeriesOptions {
  /** The caller's, who also closes those of nodes that are gone. */
  readonly clients: Clients;
  readonly log: Log;
  /** The series of the node that this is part of; a front door has none. */
  readonly local?: SeriesSource;
}

interface Node {
  readonly name: string;
  readonly address: string;
  select(selection: Selection, pace: Pace): Promise<readonly Series[]>;
}

const NANOSECONDS_PER_MS = 1_000_000n;

export class ClusterSeries implements SeriesSource {
  readonly #clients: Clients;
  readonly #log: Log;
  readonly #local: SeriesSource | undefined;
  readonly #formers = new FormerOwners<Node>(Date.now);
  #zones: readonly (readonly Node[])[] = [];

  constructor({ clients, log, local }: ClusterSeriesOptions) {
    this.#clients = clients;
    this.#log = log;
    this.#local = local;
  }

  /** Says which nodes there are, and which of them this one is, if it is one and knows which. */
  follow(zones: readonly Zone[], own?: Place): void {
    const before = this.#zones;
    this.#zones = zones.map(({ name, addresses }) =>
      addresses.map((address, index) => {
        const isOwn = own?.zone === name && own.index === index;
        return this.#nodeOf(`${encodeURIComponent(name)}/${index}`, address, isOwn);
      }),
    );
    this.#formers.change(before, this.#zones);
  }

  async select(selection: Selection, pace: Pace): Promise<Selected> {
    const { questions, withoutRepeats } = this.#questions(selection);
    const answers = await Promise.all(
      [...questions].map(async ([node, sources]) => ({
        node,
        series: await this.#ask(node, { ...selection, sources }, pace),
      })),
    );
    const found = answers.map(({ series }) => series).filter((series) => series !== undefined);
    const missing = answers.filter(({ series }) => series === undefined);
    return {
      series: await mergeSeries(pace, found, { withoutRepeats }),
      unreachable: missing.map(({ node }) => node.name),
    };
  }

  /** Whom to ask, and for which sources. */
  #questions(selection: Selection): {
    readonly questions: ReadonlyMap<Node, ReadonlySet<string> | undefined>;
    readonly withoutRepeats: boolean;
  } {
    const ids = sourcesOf(selection);
    if (ids === undefined) {
      const left = this.#formers.left();
      const nodes = [...this.#zones.flat(), ...left];
      return {
        questions: new Map(nodes.map((node) => [node, selection.sources])),
        withoutRepeats: left.length > 0,
      };
    }
    const questions = new Map<Node, Set<string>>();
    const startTime = BigInt(Math.floor(selection.startMs)) * NANOSECONDS_PER_MS;
    let withoutRepeats = false;
    for (const id of ids) {
      const owners = this.#zones
        .map((nodes) => nodes[ownerOf(id, nodes.length)])
        .filter((node) => node !== undefined);
      const formers = this.#formers.of(id, startTime, owners);
      if (formers.length > 0) withoutRepeats = true;
      for (const node of [...formers, ...owners]) {
        const asked = questions.get(node);
        if (asked === undefined) questions.set(node, new Set([id]));
        else asked.add(id);
      }
    }
    return { questions, withoutRepeats };
  }

  /** A node's answer; nothing, if it has none. Rejects with a QueryError. */
  async #ask(node: Node, selection: Selection, pace: Pace): Promise<readonly Series[] | undefined> {
    try {
      return await node.select(selection, pace);
    } catch (error) {
      const isTheirs = error instanceof MalformedError || isServiceError(error);
      if (!isTheirs) throw error; // Too much, or wanted no more, or a bug.
      const { name, address } = node;
      const text = 'a log cache could not be asked for series';
      this.#log.limited(`series of ${name}`, 'warn', { node: name, address, error }, text);
      if (this.#formers.strike(node)) await this.#clients.close(address);
      return undefined;
    }
  }

  #nodeOf(name: string, address: string, isOwn: boolean): Node {
    const local = isOwn ? this.#local : undefined;
    if (local !== undefined) {
      return {
        name,
        address,
        select: async (selection, pace) => (await local.select(selection, pace)).series,
      };
    }
    const clients = this.#clients;
    return {
      name,
      address,
      select: async (selection, pace) =>
        (await selectFrom(clients.of(address), selection, pace)).series,
    };
  }
}
