/**
 * The micro-benchmarks: files `x.bench.ts` beside what they measure.
 *
 * Each is measured beside a yardstick in the same run, a decode of a lean batch by protobufjs.
 */

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const YARDSTICK = 'protobufjs decode, lean';
const YARDSTICK_MS = 300;

/** All of them that are built: name, file, and the module when it is asked for. */
export function microBenchmarks() {
  return readdirSync(root, { withFileTypes: true })
    .filter(
      (entry) =>
        entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules',
    )
    .flatMap(({ name }) => filesBelow(join(name, 'dist')))
    .filter((file) => file.endsWith('.bench.js'))
    .sort()
    .map((file) => ({
      name: file.replace(/^.*\//, '').replace(/\.bench\.js$/, ''),
      file: sourceOf(file),
      load: () => import(pathToFileURL(join(root, file)).href),
    }))
    .filter(({ file }) => existsSync(join(root, file)));
}

/** What a file was built from; it is gone when the file is left over from an older build. */
function sourceOf(file) {
  return file.replace('/dist/', '/src/').replace(/js$/, 'ts');
}

/** Runs each case of a suite for its time: what one item costs, and how often the yardstick. */
export async function measureMicro({ bench, unit, perRun }, milliseconds) {
  const yardstick = await yardstickMicros();
  const suite = await bench(options(milliseconds));
  await suite.run();
  return suite.tasks.map(({ name, result }) => {
    if (result.error) throw result.error;
    const micros = (result.latency.p50 * 1000) / perRun;
    return { name, unit, micros, ratio: micros / yardstick };
  });
}

async function yardstickMicros() {
  const { bench, perRun } = await import(
    pathToFileURL(join(root, 'protos/dist/scan.bench.js')).href
  );
  const suite = bench(options(YARDSTICK_MS));
  for (const { name } of [...suite.tasks]) if (name !== YARDSTICK) suite.remove(name);
  const [{ result }] = await suite.run();
  return (result.latency.p50 * 1000) / perRun;
}

function options(milliseconds) {
  return { time: milliseconds, warmupTime: milliseconds / 5, now: cpuMilliseconds };
}

function cpuMilliseconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function filesBelow(folder) {
  try {
    return readdirSync(join(root, folder), { recursive: true }).map((name) =>
      join(folder, String(name)),
    );
  } catch {
    return [];
  }
}
