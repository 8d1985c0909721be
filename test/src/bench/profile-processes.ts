/**
 * Plays the chain under V8's profiler and says where its processes spend their time.
 *
 * The profiler looks at the thread that JavaScript runs on, so the shares are of that thread's time;
 * what other threads take is told beside it.
 */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fillCaches } from './fill.ts';
import { measure, warmUp } from './flow.ts';
import { load, measured } from './flows.ts';
import { mainThreadSeconds } from './proc.ts';
import { profileClock, readProfile, type Share, sharesOf } from './profile.ts';
import { peerOf, Stage } from './stage.ts';
import type { Shape } from './worker.ts';

const RATE = { lean: 40_000, cf: 20_000 };
const NAMES = ['metron az1', 'doppler az1/0', 'traffic-controller'];
/** How often the profiler looks, in microseconds: often enough for some seconds. */
const INTERVAL_MICROS = 500;

export interface ProcessProfile {
  readonly name: string;
  /** CPU time for each envelope, with what the profiler costs: of all threads, and of the main one. */
  readonly cpuMicros: number;
  readonly mainMicros: number;
  readonly shares: readonly Share[];
}

export async function profileProcesses(options: {
  readonly shape: Shape;
  readonly seconds: number;
  readonly rateFactor: number;
}): Promise<ProcessProfile[]> {
  await using stage = await Stage.open();
  const { shape, seconds } = options;
  const perSecond = RATE[shape] * options.rateFactor;
  const folderOf = (name: string): string => join(stage.folder, name.replaceAll(/\W/g, '-'));
  for (const name of NAMES) await mkdir(folderOf(name));
  const nodeOptions = (name: string): string[] => profiled(folderOf(name));
  const started = await stage.start({ names: NAMES, nodeOptions });
  const processes = NAMES.map(started);
  await fillCaches(stage, [started('doppler az1/0')], shape);
  const outlet = await stage.worker('websocket', {
    address: started('traffic-controller').address('ws'),
    path: '/firehose/bench',
  });
  const feed = await load(stage, [peerOf(started('metron az1'), 'metron')], { shape });
  const flow = { feed, outlet, processes: measured(processes) };
  await warmUp(flow, perSecond);
  const mainSeconds = () => Promise.all(processes.map(({ pid }) => mainThreadSeconds(pid)));
  const before = await mainSeconds();
  const from = profileClock();
  const usage = await measure(flow, { perSecond, seconds });
  const after = await mainSeconds();
  const window = { from, to: profileClock() };
  await outlet[Symbol.asyncDispose]();
  // Each writes its profile when it ends.
  await Promise.all(processes.map((process) => process.stop()));
  return await Promise.all(
    usage.processes.map(async ({ name, cpuMicros }, index) => ({
      name,
      cpuMicros,
      mainMicros: (((after[index] ?? 0) - (before[index] ?? 0)) * 1e6) / usage.received,
      shares: sharesOf(await readProfile(folderOf(name)), window),
    })),
  );
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
