/** A scenario of the suite: what it plays, and the figures that come of it. */

import { type Flow, inTurns, type Usage } from './flow.ts';
import { floor } from './flows.ts';
import type { Stage } from './stage.ts';
import type { Shape } from './worker.ts';

export interface Scenario {
  readonly name: string;
  /** What is played, in a few words. */
  readonly about: string;
  /** The shapes that it is played with if none is asked for. Default both. */
  readonly shapes?: readonly Shape[];
  readonly play: (options: PlayOptions) => Promise<Figures[]>;
}

export interface PlayOptions {
  readonly stage: Stage;
  readonly shape: Shape;
  /** How long each figure is measured. */
  readonly seconds: number;
  /** Of the rate that a scenario has, for a machine that has less to give. */
  readonly rateFactor: number;
}

/** One line of the table. */
export interface Figures {
  readonly shape: Shape;
  /** Which of the scenario's lines this is; '' if it has one. */
  readonly detail: string;
  /** Envelopes a second that the load was asked for. */
  readonly asked: number;
  readonly usage: Usage;
  /** Of the floor in the same run, or of what else this is compared with. */
  readonly other?: Usage | undefined;
  /** Envelopes a second that the other was asked for. Default as many. */
  readonly askedBeside?: number;
  /** Further figures by name, such as a latency in ms. */
  readonly further: Readonly<Record<string, number>>;
}

/** Figures of which some may be left out. */
export function figuresOf(figures: Omit<Figures, 'further'> & Partial<Figures>): Figures {
  return { further: {}, ...figures };
}

/** A load that is held up brings less than it was asked for, and then what it costs is another. */
const SENT_AT_LEAST = 0.97;

export function isSent({ sent, seconds }: Usage, perSecond: number): boolean {
  return sent / seconds >= perSecond * SENT_AT_LEAST;
}

interface Course {
  readonly perSecond: number;
  readonly detail?: string;
  readonly turns?: number;
}

/** Plays a flow and the floor in turns. */
export async function besideFloor(
  options: PlayOptions,
  flow: Flow,
  course: Course,
): Promise<Figures> {
  const least = await floor(options.stage, { shape: options.shape });
  return beside(options, flow, least, course);
}

/** Plays a flow and what it is compared with in turns, at the same rate. */
export async function beside(
  { shape, seconds, rateFactor }: PlayOptions,
  flow: Flow,
  other: Flow,
  { perSecond, detail = '', turns }: Course,
): Promise<Figures> {
  const asked = perSecond * rateFactor;
  const [usage, compared] = await inTurns([flow, other], { perSecond: asked, seconds, turns });
  if (!usage || !compared) throw new Error('two flows give two usages');
  return figuresOf({ shape, detail, asked, usage, other: compared });
}
