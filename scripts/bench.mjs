/**
 * Runs benchmarks: all, or those whose name contains a word that is given.
 *
 *     npm run bench                        every micro-benchmark, the suite, and a profile
 *     npm run bench -- scan store          these
 *     npm run bench -- doppler --shape cf  a scenario of the suite, with envelopes of one shape
 *     npm run bench -- profile             where the hot processes spend their time
 *
 *     --seconds N    how long each figure is measured: half a second, in the suite 3
 *     --rate X       the suite at X times its rates, for a slow machine
 *     --json         one JSON text at the end, instead of lines
 *     --write        puts the tables into docs/benchmarks.md and docs/scaling.md, and keeps the ratios
 *     --note TEXT    with --write: on what machine, after the commit and the command
 *     --check        compares with the ratios that are kept; what is worse by over 15 % is run once
 *                    more, and if it still is, the run fails
 *
 * A micro-benchmark is a file `x.bench.ts` that exports `bench(options)`, a tinybench suite, with
 * `unit` and `perRun`: how many of what one run handles. The suite (test/src/bench) loads real
 * processes. What is printed is CPU time, not time on the clock, since machines are noisy.
 */

import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import {
  checkedRatios,
  costsOf,
  isScenario,
  losses,
  markdownTable,
  playSuite,
  profileProcesses,
  profileTables,
  readFigures,
  rowsOf,
  scalingTables,
  terminalLines,
  writeDocs,
  writeFigures,
} from '../test/dist/bench/index.js';
import { measureMicro, microBenchmarks } from './micro-benchmarks.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string' },
    shape: { type: 'string' },
    rate: { type: 'string' },
    note: { type: 'string' },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
  },
});
const PROFILE = 'profile';
const micros = microBenchmarks();
refuseMistakes();

const kept = await readFigures();
const suiteSeconds = Number(values.seconds ?? 3);
// Ratios depend on the rate: a busy process has more to do at once, and so less for each.
const rateFactor = Number(values.rate ?? (values.check ? kept.rateFactor : 1));
const found = await run(positionals);
if (values.json) process.stdout.write(`${JSON.stringify(found, undefined, 2)}\n`);
if (values.write) await write(found);
if (values.check) await check(found.ratios);

/** Runs what the words name; with none, everything. */
async function run(words) {
  const results = { micros: [], rows: [], profiles: [], ratios: {} };
  await runMicros(words, results);
  if (words.length === 0 || words.some(isScenario)) {
    await playSuite({
      words,
      seconds: suiteSeconds,
      rateFactor,
      shape: values.shape,
      onPlayed: (outcome) => {
        const rows = rowsOf(outcome);
        results.rows.push(...rows);
        say(terminalLines(outcome.scenario.about, rows));
      },
    });
    Object.assign(results.ratios, checkedRatios(results.rows));
  }
  if (words.includes(PROFILE) || (words.length === 0 && !values.check)) {
    results.profiles = await profileProcesses({
      shape: values.shape ?? 'lean',
      seconds: suiteSeconds,
      rateFactor,
    });
    say(['', profileTables(results.profiles)]);
  }
  return results;
}

async function runMicros(words, results) {
  for (const { name, file, load } of micros) {
    if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
    const module = await load();
    // What has a main prints for itself, and has no ratios to keep.
    if (module.main && (values.json || values.check)) continue;
    say(['', file]);
    if (module.main) await module.main({ seconds: Number(values.seconds ?? 0.5) });
    else await runMicro({ name, module }, results);
  }
}

async function runMicro({ name, module }, results) {
  for (const one of await measureMicro(module, Number(values.seconds ?? 0.5) * 1000)) {
    const cost = `${one.micros.toFixed(3).padStart(9)} CPU-µs per ${one.unit}`;
    say([`  ${one.name.padEnd(58)} ${cost}`]);
    results.micros.push({ benchmark: name, ...one });
    results.ratios[`${name}: ${one.name}`] = one.ratio;
  }
}

/** Keeps ratios, and the tables of what was run; what was not run stays as it was. */
async function write({ rows, profiles, ratios }) {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const { note } = values;
  const args = process.argv.slice(2).filter((arg) => arg !== '--note' && arg !== note);
  const command = ['npm run bench --', ...args].join(' ');
  await writeFigures({ commit, command, rateFactor, ratios });
  const where = note === undefined ? '' : `, ${note}`;
  const made = `Of commit \`${commit}\`, Node ${process.version}, by \`${command}\`${where}.`;
  await writeDocs('benchmarks.md', {
    ...(rows.length > 0 ? { suite: `${made}\n\n${markdownTable(rows)}` } : {}),
    ...(profiles.length > 0 ? { profile: `${made}\n\n${profileTables(profiles)}` } : {}),
  });
  const costs = costsOf(rows);
  if (costs) await writeDocs('scaling.md', { scaling: `${made}\n\n${scalingTables(costs)}` });
}

/** Fails if something is worse twice. */
async function check(ratios) {
  const worse = losses(kept.ratios, ratios);
  if (worse.length === 0) {
    say([`\nnothing of ${Object.keys(ratios).length} is worse than at ${kept.commit}`]);
    return;
  }
  say(['\nonce more, for these are worse:', ...worse.map(lossLine)]);
  const words = [...new Set(worse.map(({ name }) => name.split(/[:,]/)[0]))];
  const again = losses(kept.ratios, (await run(words)).ratios);
  const twice = again.filter(({ name }) => worse.some((before) => before.name === name));
  say(['', `${twice.length} worse than at ${kept.commit}`, ...twice.map(lossLine)]);
  if (twice.length > 0) process.exitCode = 1;
}

function lossLine({ name, before, now }) {
  return `  ${name}: ${now.toFixed(2)} times the yardstick, and it was ${before.toFixed(2)}`;
}

function say(lines) {
  if (!values.json) process.stdout.write(`${lines.join('\n')}\n`);
}

function refuseMistakes() {
  const unknown = positionals.filter(
    (word) =>
      word !== PROFILE && !isScenario(word) && !micros.some(({ name }) => name.includes(word)),
  );
  const mistakes = unknown.map((word) => `there is no benchmark ${word}`);
  if (values.shape && !['lean', 'cf'].includes(values.shape)) mistakes.push('--shape lean or cf');
  for (const name of ['seconds', 'rate']) {
    if (values[name] !== undefined && !(Number(values[name]) > 0)) {
      mistakes.push(`--${name} must be a number above 0`);
    }
  }
  if (mistakes.length === 0) return;
  process.stderr.write(`${mistakes.join('\n')}\n`);
  process.exit(1);
}
