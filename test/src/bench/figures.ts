/**
 * The figures that are kept (test/bench-figures.json): the suite's rows, and the ratios of the
 * micro-benchmarks. Each has the run that it comes from, so that those of a part of the suite, or
 * of a soak, stand beside the others.
 *
 * A ratio is CPU time per item beside that of a yardstick in the same run: the floor for the suite,
 * a decode by protobufjs for micro-benchmarks. It moves little from machine to machine, where the
 * CPU time itself moves much.
 */

import { readFile, writeFile } from 'node:fs/promises';
import { nameOf, type Row } from './row.ts';
import { SCENARIOS } from './scenarios/index.ts';

/** The run that a figure comes from. */
export interface Made {
  /** With `-dirty` if there was more than the commit. */
  readonly commit: string;
  readonly command: string;
  /** At which of its rate a scenario was played, and how long each figure was measured. */
  readonly rateFactor?: number;
  readonly seconds?: number;
  /** On what machine. */
  readonly note?: string;
}

export interface KeptRow extends Row {
  readonly made: Made;
}

export interface KeptRatio {
  readonly ratio: number;
  readonly made: Made;
}

export interface KeptFigures {
  readonly rows: readonly KeptRow[];
  /** Of the micro-benchmarks, by name. */
  readonly ratios: Readonly<Record<string, KeptRatio>>;
}

/** What a run found. */
export interface Found {
  readonly rows: readonly Row[];
  readonly ratios: Readonly<Record<string, number>>;
}

const FILE = new URL('../../bench-figures.json', import.meta.url);
const DIGITS = 4;

export async function readFigures(): Promise<KeptFigures> {
  return JSON.parse(await readFile(FILE, 'utf8')) as KeptFigures; // As writeFigures wrote it.
}

/** Keeps what was found; what was not looked for stays as it was. Returns all that is kept. */
export async function writeFigures(found: Found, made: Made): Promise<KeptFigures> {
  const merged = withFound(await readFigures(), found, made);
  await writeFile(FILE, `${JSON.stringify(merged, rounded, 2)}\n`);
  return merged;
}

/** Figures with those that were found in the place of older ones of the same name. */
export function withFound(kept: KeptFigures, found: Found, made: Made): KeptFigures {
  const rows = new Map(kept.rows.map((row) => [nameOf(row), row]));
  for (const row of found.rows) rows.set(nameOf(row), { ...row, made });
  const { rateFactor: _, ...madeOfMicros } = made;
  const fresh = Object.entries(found.ratios).map(
    ([name, ratio]) => [name, { ratio, made: madeOfMicros }] as const,
  );
  const ratios = [...Object.entries(kept.ratios), ...fresh];
  return {
    rows: [...rows.values()].toSorted((a, b) => placeOf(a) - placeOf(b)),
    ratios: Object.fromEntries(
      Object.entries(Object.fromEntries(ratios)).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    ),
  };
}

/** Rows stand in the order of the scenarios, lean ones first. */
function placeOf({ scenario, shape }: Row): number {
  return SCENARIOS.findIndex(({ name }) => name === scenario) * 2 + (shape === 'lean' ? 0 : 1);
}

/** No more digits than are known. */
function rounded(_key: string, value: unknown): unknown {
  if (typeof value !== 'number' || Number.isInteger(value)) return value;
  return Number(value.toPrecision(DIGITS));
}
