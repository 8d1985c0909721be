/**
 * The suite: plays scenarios one after another, each on a stage of its own, so that none finds
 * another's processes, caches or connections.
 */

import { type Figures, ratioOf, type Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios/index.ts';
import { Stage } from './stage.ts';
import type { Shape } from './worker.ts';

export interface SuiteOptions {
  /** Words of which one must be in a scenario's name; none: all are played. */
  readonly words: readonly string[];
  readonly seconds: number;
  readonly rateFactor: number;
  /** Default: those that a scenario is meant for. */
  readonly shape?: Shape | undefined;
  /** Hears of each scenario when it has been played. */
  readonly onPlayed: (outcome: Outcome) => void;
}

/** What a scenario came to with one shape. */
export interface Outcome {
  readonly scenario: Scenario;
  readonly figures: readonly Figures[];
}

/** Their rates are found anew in each run, so their figures cannot be compared. */
const RATE_VARIES: ReadonlySet<string> = new Set(['highest-rate']);

/** Whether a word is in the name of one of them. */
export function isScenario(word: string): boolean {
  return SCENARIOS.some(({ name }) => name.includes(word));
}

export async function playSuite(options: SuiteOptions): Promise<void> {
  await using common = await Stage.open();
  for (const scenario of SCENARIOS) {
    const { words, shape } = options;
    if (words.length > 0 && !words.some((word) => scenario.name.includes(word))) continue;
    const shapes = shape ? [shape] : (scenario.shapes ?? (['lean', 'cf'] as const));
    for (const one of shapes) {
      await using stage = await Stage.open(common.certificates);
      const { seconds, rateFactor } = options;
      const figures = await scenario.play({ stage, shape: one, seconds, rateFactor });
      options.onPlayed({ scenario, figures });
    }
  }
}

/** One line of a table, as people read it and as a program does. */
export interface Row {
  readonly scenario: string;
  readonly shape: Shape;
  readonly detail: string;
  readonly askedPerSecond: number;
  readonly inPerSecond: number;
  readonly outPerSecond: number;
  readonly lost: number;
  readonly cpuMicros: number;
  readonly floorMicros: number | undefined;
  readonly ratio: number | undefined;
  readonly processes: Figures['usage']['processes'];
  readonly further: Figures['further'];
}

export function rowsOf({ scenario, figures }: Outcome): Row[] {
  return figures.map((one) => {
    const { seconds, sent, received, lost, cpuMicros, processes } = one.usage;
    return {
      scenario: scenario.name,
      shape: one.shape,
      detail: one.detail,
      askedPerSecond: Math.round(one.asked),
      inPerSecond: Math.round(sent / seconds),
      outPerSecond: Math.round(received / seconds),
      lost,
      cpuMicros,
      floorMicros: one.floorMicros,
      ratio: ratioOf(one),
      processes,
      further: one.further,
    };
  });
}

/** The ratios that `bench:check` compares, by name. */
export function checkedRatios(rows: readonly Row[]): Record<string, number> {
  const ratios: Record<string, number> = {};
  for (const { scenario, shape, detail, ratio } of rows) {
    const name = [scenario, shape, detail].filter((text) => text !== '').join(', ');
    if (ratio !== undefined && !RATE_VARIES.has(scenario)) ratios[name] = ratio;
  }
  return ratios;
}
