/**
 * Runs benchmarks: all, or those whose name contains a word that is given.
 *
 *     npm run bench                     every micro-benchmark, then the pipeline
 *     npm run bench -- scan store       these
 *     npm run bench -- --seconds 2 …    how long each case runs
 *
 * A micro-benchmark is a file `x.bench.ts` that exports `bench(options)`, a tinybench suite, with
 * `unit` and `perRun`: how many of what one run handles. What is printed is CPU time of this
 * process, not time on the clock, since machines are noisy.
 */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '0.5' } },
});
const milliseconds = Number(values.seconds) * 1000;

for (const file of benchmarks()) {
  const name = file.replace(/^.*\//, '').replace(/\.bench\.js$/, '');
  if (positionals.length > 0 && !positionals.some((word) => name.includes(word))) continue;
  const module = await import(pathToFileURL(join(root, file)).href);
  process.stdout.write(`\n${file.replace('/dist/', '/src/').replace(/js$/, 'ts')}\n`);
  if (module.main) await module.main({ seconds: Number(values.seconds) });
  else await measure(module);
}

/** Runs each case of a suite for its time and prints what one item costs. */
async function measure({ bench, unit, perRun }) {
  const suite = await bench({
    time: milliseconds,
    warmupTime: milliseconds / 5,
    now: cpuMilliseconds,
  });
  await suite.run();
  for (const { name, result } of suite.tasks) {
    if (result.error) throw result.error;
    const microseconds = (result.latency.p50 * 1000) / perRun;
    process.stdout.write(
      `  ${name.padEnd(58)} ${microseconds.toFixed(3).padStart(9)} CPU-µs per ${unit}\n`,
    );
  }
}

function cpuMilliseconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function benchmarks() {
  return readdirSync(root, { withFileTypes: true })
    .filter(
      (entry) =>
        entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules',
    )
    .flatMap(({ name }) => filesBelow(join(name, 'dist')))
    .filter((file) => file.endsWith('.bench.js'))
    .sort();
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
