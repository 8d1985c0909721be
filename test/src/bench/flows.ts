/** The flows that several scenarios play: the floor, and one Doppler between a load and readers. */

import type { ManagedProcess } from '../process.ts';
import { fillCaches } from './fill.ts';
import type { Flow } from './flow.ts';
import { peerOf, type Stage } from './stage.ts';
import type { LoadOptions, Peer, ReadOptions, Shape, Worker } from './worker.ts';

const SOURCES = 100;
const PER_MESSAGE = 100;

type LoadChoice = Pick<LoadOptions, 'shape'> & Partial<Omit<LoadOptions, 'peers' | 'tls'>>;
type ReadChoice = Partial<Omit<ReadOptions, 'peers' | 'tls'>>;

/** A load of these peers, from 100 sources in messages of 100 if nothing else is said. */
export function load(
  stage: Stage,
  peers: readonly Peer[],
  choice: LoadChoice,
): Promise<Worker<'load'>> {
  const options = { sources: SOURCES, perMessage: PER_MESSAGE, ...choice };
  return stage.worker('load', { peers, tls: stage.tls(), ...options });
}

/** Readers of these peers: one firehose of v2 if nothing else is said. */
export function reader(
  stage: Stage,
  peers: readonly Peer[],
  choice: ReadChoice = { firehoses: 1 },
): Promise<Worker<'read'>> {
  return stage.worker('read', { peers, tls: stage.tls(), protocol: 'v2', ...choice });
}

export interface FloorFlow extends Flow {
  readonly peers: readonly Peer[];
}

/** The same load through a bare grpc-js process, to one subscriber. */
export async function floor(stage: Stage, choice: LoadChoice): Promise<FloorFlow> {
  const process = await stage.worker('floor', { tls: stage.tls('doppler') });
  const peers = [{ address: process.ready.address ?? '', serverName: 'doppler' }];
  return {
    peers,
    outlet: await reader(stage, peers),
    feed: await load(stage, peers, choice),
    processes: [{ name: 'floor', pid: process.pid }],
  };
}

export interface DopplerFlow extends Flow {
  readonly feed: Worker<'load'>;
  readonly outlet: Worker<'read'>;
  readonly dopplers: readonly ManagedProcess[];
}

/** A load, one Doppler or several that share the sources, with full caches, and readers. */
export async function throughDoppler(
  stage: Stage,
  shape: Shape,
  choice: {
    readonly dopplers?: number;
    readonly reads?: ReadChoice;
    readonly loads?: Omit<LoadChoice, 'shape'>;
    readonly copies?: number;
    readonly nodeOptions?: readonly string[];
    readonly settings?: Readonly<Record<string, string>>;
  } = {},
): Promise<DopplerFlow> {
  const count = choice.dopplers ?? 1;
  const names = Array.from({ length: count }, (_, index) => `doppler az1/${index}`);
  const { nodeOptions = [], settings = {} } = choice;
  const started = await stage.start({
    names,
    dopplers: count,
    settings,
    nodeOptions: () => nodeOptions,
  });
  const dopplers = names.map(started);
  const peers = dopplers.map((doppler) => peerOf(doppler, 'doppler'));
  const outlet = await reader(stage, peers, choice.reads);
  await fillCaches(stage, dopplers, shape);
  return {
    dopplers,
    outlet,
    feed: await load(stage, peers, { shape, ...choice.loads }),
    processes: measured(dopplers),
    copies: choice.copies ?? 1,
  };
}

/** The processes of a pipeline, as the figures name them. */
export function measured(processes: readonly ManagedProcess[]): Flow['processes'] {
  return processes.map(({ spec, pid }) => ({ name: spec.name, pid }));
}
