/**
 * Plays some seconds of a deployment by chance, envelope by envelope: what scaling.ts computes must
 * come out of it.
 *
 *     each agent: messages at its rate, of random sources ─▶ split by the sources' real owners
 *     each process: one queue, one core; what it has done goes to the next hop
 *
 * Nothing is dropped: what a hop can't do in time stands in its queue, so a hop that is saturated
 * ends with a backlog.
 */

import { ownerOf } from '@standpipe/protos';
import type { Costs, Deployment, Hop } from './scaling.ts';

export interface HopOutcome {
  readonly hop: Hop;
  /** What the busiest process had to do, in seconds of a core for each second. */
  readonly coreShare: number;
  /** Seconds of work that the process with the most of it had left at the end. */
  readonly backlogSeconds: number;
}

/** Some envelopes on their way, from one process to one of the next hop. */
interface Message {
  readonly atSeconds: number;
  readonly to: number;
  readonly envelopes: number;
}

export interface SimulationOptions {
  readonly costs: Costs;
  readonly deployment: Deployment;
  readonly seconds: number;
  /** A whole number from 0 up to `below`. */
  readonly random: (below: number) => number;
}

export function simulate({ costs, deployment, seconds, random }: SimulationOptions): HopOutcome[] {
  const { dopplerEnvelope, v1Envelope, dopplerMessage, controllerEnvelope } = costs;
  const { dopplers, firehoses, controllers } = deployment;
  const more = v1Envelope + (firehoses - 1) * costs.firehoseEnvelope;

  const agents = sentByAgents({ costs, deployment, seconds, random });
  const atDopplers = new Processes('doppler', dopplers);
  const toControllers: Message[] = [];
  for (const message of inOrder(agents.messages)) {
    const { envelopes, to } = message;
    const micros = dopplerMessage + envelopes * (dopplerEnvelope + more);
    const atSeconds = atDopplers.work(message, to, micros);
    // Of the members of a subscription id, a Doppler picks one for each batch.
    for (let firehose = 0; firehose < firehoses; firehose += 1) {
      toControllers.push({ atSeconds, to: random(controllers), envelopes });
    }
  }
  const atControllers = new Processes('traffic controller', controllers);
  for (const message of inOrder(toControllers)) {
    atControllers.work(message, message.to, message.envelopes * controllerEnvelope);
  }
  return [agents.processes, atDopplers, atControllers].map((one) => one.outcome(seconds));
}

/** Processes of one hop, each with one core. */
class Processes {
  readonly #hop: Hop;
  readonly #freeAt: Float64Array;
  readonly #worked: Float64Array;

  constructor(hop: Hop, count: number) {
    this.#hop = hop;
    this.#freeAt = new Float64Array(count);
    this.#worked = new Float64Array(count);
  }

  /** Returns when the work is done. */
  work({ atSeconds }: Pick<Message, 'atSeconds'>, process: number, micros: number): number {
    const begins = Math.max(atSeconds, this.#freeAt[process] ?? 0);
    const done = begins + micros / 1e6;
    this.#freeAt[process] = done;
    this.#worked[process] = (this.#worked[process] ?? 0) + micros / 1e6;
    return done;
  }

  outcome(seconds: number): HopOutcome {
    return {
      hop: this.#hop,
      coreShare: Math.max(...this.#worked) / seconds,
      backlogSeconds: Math.max(0, Math.max(...this.#freeAt) - seconds),
    };
  }
}

/** What the agents send, each message of a program split by who owns its sources. */
function sentByAgents({ costs, deployment, seconds, random }: SimulationOptions): {
  readonly processes: Processes;
  readonly messages: Message[];
} {
  const { agents, zones, dopplers, envelopesPerSecond, perMessage } = deployment;
  const shards = dopplers / zones;
  const owners = Array.from({ length: deployment.sources }, (_, index) =>
    ownerOf(`source-${index}`, shards),
  );
  const everySeconds = perMessage / (envelopesPerSecond / agents);
  const processes = new Processes('agent', agents);
  const messages: Message[] = [];
  for (let agent = 0; agent < agents; agent += 1) {
    const zone = agent % zones;
    for (let at = (everySeconds * random(1000)) / 1000; at < seconds; at += everySeconds) {
      const counts = new Map<number, number>();
      for (let envelope = 0; envelope < perMessage; envelope += 1) {
        const owner = owners[sourceIn(zone, deployment, random)] ?? 0;
        counts.set(owner, (counts.get(owner) ?? 0) + 1);
      }
      const micros = perMessage * costs.agentEnvelope + counts.size * costs.agentMessage;
      const atSeconds = processes.work({ atSeconds: at }, agent, micros);
      for (const [shard, envelopes] of counts) {
        messages.push({ atSeconds, to: zone * shards + shard, envelopes });
      }
    }
  }
  return { processes, messages };
}

/** A source that runs in this zone: each zone has its own. */
function sourceIn(
  zone: number,
  { sources, zones }: Deployment,
  random: (below: number) => number,
): number {
  return random(Math.floor(sources / zones)) * zones + zone;
}

function inOrder(messages: readonly Message[]): Message[] {
  return messages.toSorted((a, b) => a.atSeconds - b.atSeconds);
}
