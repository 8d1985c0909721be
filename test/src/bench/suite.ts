/**
 * The suite: plays scenarios one after another, each on a stage of its own, so that none finds
 * another's processes, caches or connections. One that fails, or does not end, costs none of the others.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Figures, Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios/index.ts';
import { Stage } from './stage.ts';
import type { Shape } from './worker.ts';

export interface SuiteOptions {
  /** Words of which one must be in a scenario's name; none: all are played. */
  readonly words: readonly string[];
  readonly seconds: number;
  readonly rateFactorOf: (scenario: string) => number;
  /** Default: those that a scenario is meant for. */
  readonly shape?: Shape | undefined;
  /** Hears of each scenario when it has been played, or could not be. */
  readonly onPlayed: (outcome: Outcome) => void | Promise<void>;
  readonly onFailed: (failure: Failure) => void | Promise<void>;
  /** Default: those of the suite. */
  readonly scenarios?: readonly Scenario[];
  /** How long a scenario may take. Default two minutes, and twenty times what it measures. */
  readonly limitMs?: number;
}

/** What a scenario came to with one shape. */
export interface Outcome {
  readonly scenario: Scenario;
  readonly figures: readonly Figures[];
}

export interface Failure {
  readonly scenario: string;
  readonly shape: Shape;
  readonly reason: string;
}

const LIMIT_MS = 120_000;
const LIMIT_MS_PER_SECOND = 20_000;

/** Whether a word is in the name of one of them. */
export function isScenario(word: string): boolean {
  return SCENARIOS.some(({ name }) => name.includes(word));
}

/** All that there are. */
export function scenarioNames(): string[] {
  return SCENARIOS.map(({ name }) => name);
}

export async function playSuite(options: SuiteOptions): Promise<void> {
  await using common = await Stage.open();
  const { words, shape, scenarios = SCENARIOS } = options;
  for (const scenario of scenarios) {
    if (words.length > 0 && !words.some((word) => scenario.name.includes(word))) continue;
    const shapes = shape ? [shape] : (scenario.shapes ?? (['lean', 'cf'] as const));
    for (const one of shapes) {
      try {
        const figures = await playOne(scenario, one, options, common.certificates);
        await options.onPlayed({ scenario, figures });
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        await options.onFailed({ scenario: scenario.name, shape: one, reason });
      }
    }
  }
}

async function playOne(
  scenario: Scenario,
  shape: Shape,
  { seconds, rateFactorOf, limitMs = LIMIT_MS + seconds * LIMIT_MS_PER_SECOND }: SuiteOptions,
  certificates: string,
): Promise<Figures[]> {
  await using stage = await Stage.open(certificates);
  const rateFactor = rateFactorOf(scenario.name);
  const late = new AbortController();
  const limit = sleep(limitMs, undefined, { signal: late.signal }).then(() => {
    throw new Error(`it did not end within ${Math.round(limitMs / 1000)} s`);
  });
  limit.catch(() => undefined); // Given up when the scenario has ended in time.
  try {
    return await Promise.race([scenario.play({ stage, shape, seconds, rateFactor }), limit]);
  } finally {
    late.abort();
  }
}
