/**
 * The ratios that were measured once and are kept (test/bench-figures.json), and which of those
 * measured now are worse.
 *
 * A ratio is CPU time per item beside that of a yardstick in the same run: the floor for the suite,
 * a decode by protobufjs for micro-benchmarks. It moves little from machine to machine, where the
 * CPU time itself moves much.
 */

import { readFile, writeFile } from 'node:fs/promises';

export type Ratios = Readonly<Record<string, number>>;

export interface KeptFigures {
  /** The commit that was measured, and the command. */
  readonly commit: string;
  readonly command: string;
  /** At which of their rates the scenarios were played. */
  readonly rateFactor: number;
  readonly ratios: Ratios;
}

/** A ratio that is worse than the kept one by more than is allowed. */
export interface Loss {
  readonly name: string;
  readonly before: number;
  readonly now: number;
}

const FILE = new URL('../../bench-figures.json', import.meta.url);

/** What is worse than this is a loss, and no noise. */
const ALLOWED = 1.15;

export async function readFigures(): Promise<KeptFigures> {
  return JSON.parse(await readFile(FILE, 'utf8')) as KeptFigures; // As writeFigures wrote it.
}

/** Keeps figures; those of other names stay as they were. */
export async function writeFigures({ ratios, ...made }: KeptFigures): Promise<void> {
  const before = await readFigures();
  const all = Object.entries({ ...before.ratios, ...ratios }).toSorted(([a], [b]) =>
    a < b ? -1 : 1,
  );
  const kept = { ...made, ratios: Object.fromEntries(all.map(rounded)) };
  await writeFile(FILE, `${JSON.stringify(kept, undefined, 2)}\n`);
}

/** What has become worse. A name that only one of the two has is no loss. */
export function losses(before: Ratios, now: Ratios): Loss[] {
  return Object.entries(now)
    .map(([name, ratio]) => ({ name, before: before[name] ?? Number.NaN, now: ratio }))
    .filter((one) => one.now > one.before * ALLOWED);
}

function rounded([name, ratio]: [string, number]): [string, number] {
  return [name, Number(ratio.toPrecision(3))];
}
