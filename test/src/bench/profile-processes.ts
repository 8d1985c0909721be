/** Plays the chain under V8's profiler and says where its processes spend their time. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { measure, warmUp } from './flow.ts';
import { load, measured } from './flows.ts';
import { readProfile, type Share, sharesOf } from './profile.ts';
import { peerOf, Stage } from './stage.ts';
import type { Shape } from './worker.ts';

const RATE = { lean: 40_000, cf: 20_000 };
const NAMES = ['metron az1', 'doppler az1/0', 'traffic-controller'];
/** How often the profiler looks, in microseconds: often enough for some seconds. */
const INTERVAL_MICROS = 500;

export interface ProcessProfile {
  readonly name: string;
  /** CPU time for each envelope, with what the profiler costs. */
  readonly cpuMicros: number;
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
  const outlet = await stage.worker('websocket', {
    address: started('traffic-controller').address('ws'),
    path: '/firehose/bench',
  });
  const feed = await load(stage, [peerOf(started('metron az1'), 'metron')], { shape });
  const flow = { feed, outlet, processes: measured(processes) };
  await warmUp(flow, perSecond);
  const usage = await measure(flow, { perSecond, seconds });
  await outlet[Symbol.asyncDispose]();
  for (const process of processes) await process.stop(); // It writes its profile when it ends.
  return await Promise.all(
    usage.processes.map(async ({ name, cpuMicros }) => ({
      name,
      cpuMicros,
      shares: sharesOf(await readProfile(folderOf(name)), seconds),
    })),
  );
}

function profiled(folder: string): string[] {
  return ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${INTERVAL_MICROS}`];
}

/** Markdown: a table for each process; parts under one per cent are left out. */
export function profileTables(profiles: readonly ProcessProfile[]): string {
  return profiles
    .map(({ name, cpuMicros, shares }) => {
      const lines = shares
        .filter(({ share }) => share >= 0.01)
        .map(({ part, share }) => {
          const micros = (share * cpuMicros).toFixed(2);
          return `| ${part} | ${Math.round(share * 100)} % | ${micros} |`;
        });
      return [`| ${name} | of its CPU time | CPU-µs |`, '|---|---|---|', ...lines].join('\n');
    })
    .join('\n\n');
}
