/**
 * What a deployment of some size asks of each hop, from what an envelope and a message cost.
 *
 *     agents ──▶ Dopplers ──▶ traffic controllers
 *
 * The costs are measured (docs/benchmarks.md); docs/scaling.md tells what comes of it, and
 * simulation.ts plays the same by chance and by envelope. An agent sends each envelope to the owner
 * of its source, so a program's message of many sources becomes several, and a message costs as much
 * as dozens of envelopes: that, and the owner of more sources than the others, are what does not
 * grow in proportion. It errs on the safe side: under load, messages get larger than here.
 */

/** CPU time of one process, in microseconds. */
export interface Costs {
  /** An envelope in an agent: in, tagged, out; and each message that it sends. */
  readonly agentEnvelope: number;
  readonly agentMessage: number;
  /** An envelope in a Doppler with its cache and one firehose; and each message that it receives. */
  readonly dopplerEnvelope: number;
  readonly dopplerMessage: number;
  /** What an envelope costs a Doppler more if its firehoses are of v1. */
  readonly v1Envelope: number;
  /** An envelope for each further firehose. */
  readonly firehoseEnvelope: number;
  /** An envelope in a traffic controller, from a Doppler to a websocket. */
  readonly controllerEnvelope: number;
}

export interface Deployment {
  readonly agents: number;
  readonly zones: number;
  /** Of all zones together. */
  readonly dopplers: number;
  readonly controllers: number;
  /** Subscription ids that each get everything. */
  readonly firehoses: number;
  /** Of all agents together. */
  readonly envelopesPerSecond: number;
  /** Equally busy sources. */
  readonly sources: number;
  /** Envelopes in a program's message, each of another source. */
  readonly perMessage: number;
}

export type Hop = 'agent' | 'doppler' | 'traffic controller';

export interface HopLoad {
  readonly hop: Hop;
  readonly processes: number;
  readonly envelopesPerSecond: number;
  /** Of one core, in the busiest process; above 1 it can't. */
  readonly coreShare: number;
  /** Envelopes a second, of the whole deployment, at which the busiest process has a whole core. */
  readonly saturatedAt: number;
}

/** What each hop has to do. Figures of a hop are those of its busiest process. */
export function hopLoads(costs: Costs, deployment: Deployment): HopLoad[] {
  const { agents, zones, dopplers, controllers, firehoses, sources } = deployment;
  const total = deployment.envelopesPerSecond;
  const shards = dopplers / zones;
  const messages = messagesPerEnvelope(deployment.perMessage, shards);
  const busiest = (total / dopplers) * busiestShare(sources / zones, shards);
  const dopplerMicros =
    costs.dopplerEnvelope +
    costs.v1Envelope +
    messages * costs.dopplerMessage +
    (firehoses - 1) * costs.firehoseEnvelope;
  const loads: readonly [Hop, number, number, number][] = [
    ['agent', agents, total / agents, costs.agentEnvelope + messages * costs.agentMessage],
    ['doppler', dopplers, busiest, dopplerMicros],
    [
      'traffic controller',
      controllers,
      (total * firehoses) / controllers,
      costs.controllerEnvelope,
    ],
  ];
  return loads.map(([hop, processes, envelopesPerSecond, micros]) => {
    const coreShare = (envelopesPerSecond * micros) / 1e6;
    return { hop, processes, envelopesPerSecond, coreShare, saturatedAt: total / coreShare };
  });
}

/** The hop that is the first to have no more to give. */
export function firstToSaturate(loads: readonly HopLoad[]): HopLoad | undefined {
  return loads.toSorted((a, b) => a.saturatedAt - b.saturatedAt)[0];
}

const COUNT_OF = {
  agent: 'agents',
  doppler: 'dopplers',
  'traffic controller': 'controllers',
} as const;
const PROCESSES_MAX = 1_000_000;

/** How many processes of a hop it takes for its busiest to have no more than this of a core. */
export function processesFor(
  costs: Costs,
  deployment: Deployment,
  hop: Hop,
  coreShare: number,
): number {
  // A zone has one Doppler at least, and as many as the others.
  const step = hop === 'doppler' ? deployment.zones : 1;
  for (let count = step; count < PROCESSES_MAX; count += step) {
    const loads = hopLoads(costs, { ...deployment, [COUNT_OF[hop]]: count });
    const load = loads.find((one) => one.hop === hop);
    if (load && load.coreShare <= coreShare) return count;
  }
  return Number.POSITIVE_INFINITY;
}

/**
 * How many messages to Dopplers one envelope makes: those shards that at least one of a message's
 * envelopes falls to, if each falls to any of them alike.
 */
export function messagesPerEnvelope(perMessage: number, shards: number): number {
  return (shards * (1 - (1 - 1 / shards) ** perMessage)) / perMessage;
}

/**
 * How much more than the mean the shard with the most sources has. Sources fall to shards by chance,
 * so their numbers spread by the root of the mean, and the highest of n lies as many such spreads
 * above it as the highest of n normal variates does (Fisher and Tippett's limit).
 */
export function busiestShare(sources: number, shards: number): number {
  if (shards === 1) return 1;
  const root = Math.sqrt(2 * Math.log(shards));
  const tail = (Math.log(Math.log(shards)) + Math.log(4 * Math.PI)) / 2 - EULER;
  return 1 + (root - tail / root) / Math.sqrt(sources / shards);
}

/** The mean of Gumbel's distribution. */
const EULER = 0.5772156649;
