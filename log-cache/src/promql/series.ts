/** Where the samples of a query come from, and what they look like. */

import type { Labels } from './labels.ts';
import type { Matcher } from './matcher.ts';

/** What an envelope's value is. */
export type SeriesType = 'counter' | 'gauge' | 'timer' | 'log';

export interface Series {
  readonly labels: Labels;
  readonly type: SeriesType;
  /** What a gauge is measured in, as its envelopes say; '' if they don't. */
  readonly unit: string;
  /** Milliseconds since 1970, in order; equal ones may follow one another. */
  readonly times: Float64Array;
  /** Of logs: how many lines there were at this time. */
  readonly values: Float64Array;
}

export interface Selection {
  readonly matchers: readonly Matcher[];
  /** The first and the last millisecond that are wanted; logs come from the beginning. */
  readonly startMs: number;
  readonly endMs: number;
  /** Which series have something in this time, without what it is. */
  readonly labelsOnly: boolean;
  /** No others than these sources; undefined: all. */
  readonly sources?: ReadonlySet<string> | undefined;
}

export interface Selected {
  /** No two with the same labels. */
  readonly series: readonly Series[];
  /** The nodes, as ZONE/INDEX, that could not be asked. */
  readonly unreachable: readonly string[];
}

export interface SeriesSource {
  /** Rejects with a QueryError what would be too much, and with what `pacer` throws. */
  select(selection: Selection, pacer: Pace): Promise<Selected>;
}

/**
 * Lets others run while something long is done, and ends it when it is wanted no more.
 *
 *     if (pacer.isDue(work)) await pacer.pause();
 */
export interface Pace {
  /** Counts so many steps of work; whether it is time to pause. */
  isDue(work: number): boolean;
  /** Waits for a turn. Rejects with a QueryError when the time is over or the caller has gone. */
  pause(): Promise<void>;
  /** Counts samples that are held, or with a number below zero let go. Throws a QueryError. */
  hold(samples: number): void;
  readonly signal: AbortSignal;
  /** When the time is over, in milliseconds since 1970. */
  readonly deadlineMs: number;
}
