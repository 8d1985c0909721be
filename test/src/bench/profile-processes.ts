/**
 * Plays the chain, drains and statsd under V8's profiler and says where the processes spend their time.
 *
 * The profiler looks at the thread that JavaScript runs on, so the shares are of that thread's time;
 * what other threads take is told beside it, and is the profiler's own for the most part.
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Flow, measure, warmUp } from './flow.ts';
import { fromStatsd, toDrains, toWebsocket } from './pipelines.ts';
import { mainThreadSeconds } from './proc.ts';
import { profileClock, readProfile, type Share, sharesOf, type Window } from './profile.ts';
import { Stage, type StartOptions } from './stage.ts';
import type { Shape } from './worker.ts';

type NodeOptions = Required<Pick<StartOptions, 'nodeOptions'>>;

interface Play {
  readonly rate: Readonly<Record<Shape, number>>;
  /** The processes that are told of. */
  readonly names: readonly string[];
  readonly open: (stage: Stage, shape: Shape, options: NodeOptions) => Promise<Flow>;
}

const PLAYS: readonly Play[] = [
  {
    rate: { lean: 40_000, cf: 20_000 },
    names: ['metron az1', 'doppler az1/0', 'traffic-controller'],
    open: (stage, shape, options) => toWebsocket(stage, shape, { from: 'metron', ...options }),
  },
  {
    rate: { lean: 20_000, cf: 10_000 },
    names: ['reverse-log-proxy', 'syslog-adapter'],
    open: toDrains,
  },
  {
    rate: { lean: 40_000, cf: 40_000 },
    names: ['statsd-injector'],
    open: (stage, _shape, options) => fromStatsd(stage, options),
  },
];
/** How often the profiler looks, in microseconds: often enough for some seconds. */
const INTERVAL_MICROS = 500;

export interface ProcessProfile {
  readonly name: string;
  /** CPU time for each envelope, with what the profiler costs: of all threads, and of the main one. */
  readonly cpuMicros: number;
  readonly mainMicros: number;
  readonly shares: readonly Share[];
}

export interface ProfileOptions {
  readonly shape: Shape;
  readonly seconds: number;
  readonly rateFactor: number;
}

export async function profileProcesses(options: ProfileOptions): Promise<ProcessProfile[]> {
  const profiles: ProcessProfile[] = [];
  for (const play of PLAYS) profiles.push(...(await profilesOf(play, options)));
  return profiles;
}

async function profilesOf(play: Play, options: ProfileOptions): Promise<ProcessProfile[]> {
  // It outlives the processes, each of which writes its profile when it ends.
  await using kept = await Stage.open();
  const folderOf = (name: string): string => join(kept.folder, name.replaceAll(/\W/g, '-'));
  for (const name of play.names) await mkdir(folderOf(name));
  const nodeOptions = (name: string): string[] =>
    play.names.includes(name) ? profiled(folderOf(name)) : [];
  const figures = await figuresOf(play, options, { certificates: kept.certificates, nodeOptions });
  return await Promise.all(
    figures.map(async ({ window, ...figure }) => ({
      ...figure,
      shares: sharesOf(await readProfile(folderOf(figure.name)), window),
    })),
  );
}

type Measured = Omit<ProcessProfile, 'shares'> & { readonly window: Window };

async function figuresOf(
  { names, rate, open }: Play,
  { shape, seconds, rateFactor }: ProfileOptions,
  { certificates, nodeOptions }: NodeOptions & { readonly certificates: string },
): Promise<Measured[]> {
  await using stage = await Stage.open(certificates);
  const whole = await open(stage, shape, { nodeOptions });
  const processes = whole.processes.filter(({ name }) => names.includes(name));
  const flow = { ...whole, processes };
  const perSecond = rate[shape] * rateFactor;
  await warmUp(flow, perSecond);
  const mainSeconds = () => Promise.all(processes.map(({ pid }) => mainThreadSeconds(pid)));
  const before = await mainSeconds();
  const from = profileClock();
  const usage = await measure(flow, { perSecond, seconds });
  const after = await mainSeconds();
  const window = { from, to: profileClock() };
  return usage.processes.map(({ name, cpuMicros }, index) => ({
    name,
    cpuMicros,
    mainMicros: (((after[index] ?? 0) - (before[index] ?? 0)) * 1e6) / usage.received,
    window,
  }));
}

function profiled(folder: string): string[] {
  return ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${INTERVAL_MICROS}`];
}

/** Markdown: a table for each process; parts under one per cent are left out. */
export function profileTables(profiles: readonly ProcessProfile[]): string {
  return profiles
    .map(({ name, cpuMicros, mainMicros, shares }) => {
      const lines = shares
        .filter(({ share }) => share >= 0.01)
        .map(({ part, share }) => {
          const micros = (share * mainMicros).toFixed(2);
          return `| ${part} | ${Math.round(share * 100)} % | ${micros} |`;
        });
      const others = `| other threads | | ${Math.max(0, cpuMicros - mainMicros).toFixed(2)} |`;
      const head = [`| ${name} | of its main thread's time | CPU-µs |`, '|---|---|---|'];
      return [...head, ...lines, others].join('\n');
    })
    .join('\n\n');
}
