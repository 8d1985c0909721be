/** One line of the suite's table, as people read it, as a program does, and as it is kept. */

import type { ProcessUsage, Usage } from './flow.ts';
import { isSent } from './scenario.ts';
import type { Outcome } from './suite.ts';
import type { Shape } from './worker.ts';

export interface Row {
  readonly scenario: string;
  readonly shape: Shape;
  readonly detail: string;
  readonly askedPerSecond: number;
  readonly inPerSecond: number;
  readonly outPerSecond: number;
  readonly lost: number;
  readonly cpuMicros: number;
  /** The floor in the same run, or what else this is compared with; and how often this costs that. */
  readonly beside?: Beside;
  readonly ratio?: number;
  /** Whether one of both sides was not given what was asked for, so that they do not compare. */
  readonly isShort?: boolean;
  readonly processes: readonly ProcessUsage[];
  readonly further: Readonly<Record<string, number>>;
}

export interface Beside {
  readonly inPerSecond: number;
  readonly lost: number;
  readonly cpuMicros: number;
}

/** What a row is called where it is alone: `message-size, lean, messages of 10`. */
export function nameOf({
  scenario,
  shape,
  detail,
}: Pick<Row, 'scenario' | 'shape' | 'detail'>): string {
  return [scenario, shape, detail].filter((text) => text !== '').join(', ');
}

export function rowsOf({ scenario, figures }: Outcome): Row[] {
  return figures.map(({ usage, other, ...one }) => {
    const { seconds, received, lost, cpuMicros, processes } = usage;
    const isShort =
      !isSent(usage, one.asked) || (other && !isSent(other, one.askedBeside ?? one.asked));
    return {
      scenario: scenario.name,
      shape: one.shape,
      detail: one.detail,
      askedPerSecond: Math.round(one.asked),
      inPerSecond: perSecond(usage),
      outPerSecond: Math.round(received / seconds),
      lost,
      cpuMicros,
      ...(other ? { beside: besideOf(other), ratio: cpuMicros / other.cpuMicros } : {}),
      ...(isShort ? { isShort } : {}),
      processes,
      further: one.further,
    };
  });
}

function besideOf(other: Usage): Beside {
  return { inPerSecond: perSecond(other), lost: other.lost, cpuMicros: other.cpuMicros };
}

function perSecond({ sent, seconds }: Usage): number {
  return Math.round(sent / seconds);
}
