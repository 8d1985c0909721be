/**
 * Runs benchmarks: all, or those whose name contains a word that is given.
 *
 *     npm run bench                        every micro-benchmark, the suite, and a profile
 *     npm run bench -- scan store          these
 *     npm run bench -- doppler --shape cf  a scenario of the suite, with envelopes of one shape
 *     npm run bench -- suite profile       the suite and the profile, without micro-benchmarks
 *     npm run bench -- profile             where the hot processes spend their time
 *
 *     --seconds N    how long each figure is measured: 0.3 s, in the suite 3
 *     --rate X       the suite at X times its rates, for a slow machine
 *     --json         one JSON text at the end, instead of lines
 *     --write        keeps the figures, and puts the tables into docs/benchmarks.md and docs/scaling.md;
 *                    each scenario's when it has been played
 *     --note TEXT    with --write: on what machine, after the commit and the command
 *     --check        compares with the ratios that are kept; what is worse by over 15 %, or lost
 *                    envelopes, is run once more, and if it still is, the run fails
 *
 * A micro-benchmark is a file `x.bench.ts` that exports `bench(options)`, a tinybench suite, with
 * `unit` and `perRun`: how many of what one run handles. The suite (test/src/bench) loads real
 * processes. What is printed is CPU time, not time on the clock, since machines are noisy.
 */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  costsOf,
  isScenario,
  markdownTable,
  playSuite,
  profileProcesses,
  profileTables,
  readFigures,
  rowsOf,
  runOf,
  scalingTables,
  scenarioNames,
  shortRows,
  terminalLines,
  twice,
  writeDocs,
  writeFigures,
} from '../test/dist/bench/index.js';
import { measureMicro, microBenchmarks } from './micro-benchmarks.mjs';

const USAGE = readFileSync(fileURLToPath(import.meta.url), 'utf8')
  .match(/^ \* {5}.*$/gm)
  .map((line) => line.slice(7))
  .join('\n');
const OPTIONS = {
  help: { type: 'boolean', short: 'h', default: false },
  seconds: { type: 'string' },
  shape: { type: 'string' },
  rate: { type: 'string' },
  note: { type: 'string' },
  json: { type: 'boolean', default: false },
  write: { type: 'boolean', default: false },
  check: { type: 'boolean', default: false },
};
const { values, positionals } = readArgs();
const PROFILE = 'profile';
const SUITE = 'suite';
const MICRO_SECONDS = 0.3;
const micros = microBenchmarks();
if (values.help) {
  process.stdout.write(`${USAGE}\n\n${names()}\n`);
  process.exit();
}
refuseMistakes();

const kept = await readFigures();
const suiteSeconds = Number(values.seconds ?? 3);
const made = values.write ? madeNow() : undefined;
const found = await run(positionals);
if (values.json) process.stdout.write(`${JSON.stringify(found, undefined, 2)}\n`);
if (made) await writeRest(found);
if (values.check) await check(found);
else if (found.failures.length > 0) process.exitCode = 1;

/** Runs what the words name; with none, everything. */
async function run(words) {
  const results = { micros: [], rows: [], profiles: [], ratios: {}, failures: [] };
  await runMicros(words, results);
  const isWhole = words.length === 0 || words.includes(SUITE);
  if (isWhole || words.some(isScenario)) await runSuite(isWhole ? [] : words, results);
  if (words.includes(PROFILE) || (words.length === 0 && !values.check)) {
    results.profiles = await profileProcesses({
      shape: values.shape ?? 'lean',
      seconds: suiteSeconds,
      rateFactor: Number(values.rate ?? 1),
    });
    say(['', profileTables(results.profiles)]);
  }
  return results;
}

async function runSuite(words, results) {
  await playSuite({
    words,
    seconds: suiteSeconds,
    rateFactorOf,
    shape: values.shape,
    onPlayed: async (outcome) => {
      const rows = rowsOf(outcome);
      results.rows.push(...rows);
      say(terminalLines(outcome.scenario.about, rows));
      if (made) await writeRows(rows);
    },
    onFailed: (failure) => {
      results.failures.push(failure);
      process.stderr.write(`\n${failure.scenario}, ${failure.shape} failed: ${failure.reason}\n`);
    },
  });
}

/** Ratios depend on the rate, so they are compared at that of the kept ones. */
function rateFactorOf(scenario) {
  const before = values.check ? kept.rows.find((row) => row.scenario === scenario) : undefined;
  return Number(values.rate ?? before?.made.rateFactor ?? 1);
}

async function runMicros(words, results) {
  for (const { name, file, load } of micros) {
    if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
    const module = await load();
    // What has a main prints for itself, and has no ratios to keep.
    if (module.main && (values.json || values.check)) {
      process.stderr.write(`${file} is left out: it prints for itself, and has no ratios\n`);
      continue;
    }
    say(['', file]);
    const isNamed = words.length > 0;
    if (module.main)
      await module.main({ seconds: Number(values.seconds ?? MICRO_SECONDS), isNamed });
    else await runMicro({ name, module }, results);
  }
}

async function runMicro({ name, module }, results) {
  for (const one of await measureMicro(module, Number(values.seconds ?? MICRO_SECONDS) * 1000)) {
    const cost = `${one.micros.toFixed(3).padStart(9)} CPU-µs per ${one.unit}`;
    say([`  ${one.name.padEnd(58)} ${cost}`]);
    results.micros.push({ benchmark: name, ...one });
    results.ratios[`${name}: ${one.name}`] = one.ratio;
  }
}

/** What the figures of this run come from. Its own docs and figures do not change what it measures. */
function madeNow() {
  const git = (...args) => execFileSync('git', args, { encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain', '--', '.', ':!docs', ':!test/bench-figures.json');
  const { note } = values;
  const args = process.argv.slice(2).filter((arg) => arg !== '--note' && arg !== note);
  return {
    commit: `${git('rev-parse', '--short', 'HEAD')}${changed === '' ? '' : '-dirty'}`,
    command: ['npm run bench --', ...args].join(' '),
    rateFactor: Number(values.rate ?? 1),
    seconds: suiteSeconds,
    note: [`Node ${process.version}`, note].filter((text) => text !== undefined).join(', '),
  };
}

/** Keeps rows of the suite as soon as there are any, and all that are kept in the table. */
async function writeRows(rows) {
  const all = await writeFigures({ rows, ratios: {} }, made);
  await writeDocs('benchmarks.md', { suite: markdownTable(all.rows) });
}

/** Keeps the ratios of micro-benchmarks, and tables; of what was not run, they stay as they were. */
async function writeRest({ rows, profiles, ratios }) {
  await writeFigures({ rows: [], ratios }, made);
  if (profiles.length > 0) {
    await writeDocs('benchmarks.md', { profile: `${runOf(made)}\n\n${profileTables(profiles)}` });
  }
  const costs = costsOf(rows);
  if (costs) {
    await writeDocs('scaling.md', { scaling: `${runOf(made)}\n\n${scalingTables(costs)}` });
  }
}

/** Fails if there is a problem twice. */
async function check(first) {
  const held = shortRows(first.rows);
  if (held.length > 0) say(['\nnot compared, for their load was held up (--rate):', ...held]);
  const still = await twice(kept, first, (words, problems) => {
    say(['\nonce more, for there are problems:', ...problems.map(problemLine)]);
    return run(words);
  });
  const looked = first.rows.length + Object.keys(first.ratios).length;
  say([`\n${still.length} problems in ${looked} figures`, ...still.map(problemLine)]);
  if (still.length > 0) process.exitCode = 1;
}

function problemLine({ name, text }) {
  return `  ${name}: ${text}`;
}

function say(lines) {
  if (!values.json) process.stdout.write(`${lines.join('\n')}\n`);
}

function refuseMistakes() {
  const unknown = positionals.filter(
    (word) =>
      ![PROFILE, SUITE].includes(word) &&
      !isScenario(word) &&
      !micros.some(({ name }) => name.includes(word)),
  );
  const mistakes = unknown.map((word) => `there is no benchmark ${word}`);
  if (values.shape && !['lean', 'cf'].includes(values.shape)) mistakes.push('--shape lean or cf');
  for (const name of ['seconds', 'rate']) {
    if (values[name] !== undefined && !(Number(values[name]) > 0)) {
      mistakes.push(`--${name} must be a number above 0`);
    }
  }
  if (mistakes.length === 0) return;
  if (unknown.length > 0) mistakes.push(names());
  process.stderr.write(`${mistakes.join('\n')}\n`);
  process.exit(1);
}

function readArgs() {
  try {
    return parseArgs({ allowPositionals: true, options: OPTIONS });
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${USAGE}\n`);
    process.exit(1);
  }
}

/** All that can be asked for by name. */
function names() {
  const scenarios = [...scenarioNames(), SUITE, PROFILE].join(' ');
  const parts = micros.map(({ name }) => name).join(' ');
  return `of the suite: ${scenarios}\nmicro-benchmarks: ${parts}`;
}
