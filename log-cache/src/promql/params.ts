/** The parameters of queries, as the original reads them; what it crashes on is refused. */

import { badData } from './errors.ts';
import { DURATION_MS_MAX, parseDuration } from './literals.ts';
import type { RangeBounds } from './querier.ts';

/** The times that 64 bits of nanoseconds can tell. */
export const TIME_MS_MAX: number = DURATION_MS_MAX;

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const RFC3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** Milliseconds of Unix seconds or RFC 3339. Throws a QueryError. */
export function timeOf(text: string): number {
  const ms = DECIMAL.test(text) ? Math.round(Number(text) * 1000) : dateMs(text);
  if (Math.abs(ms) <= TIME_MS_MAX) return ms;
  throw badData(`cannot parse ${JSON.stringify(text)} to a valid Unix or RFC3339 timestamp`);
}

/** NaN of what is no date, such as 31 February and the hour 24, which `Date.parse` takes for others. */
function dateMs(text: string): number {
  const [, local] = RFC3339.exec(text) ?? [];
  const ms = Date.parse(`${local}Z`);
  if (Number.isNaN(ms) || !new Date(ms).toISOString().startsWith(`${local}.`)) return Number.NaN;
  return Date.parse(text.replace(',', '.'));
}

/** The time of an instant query; now, to the second, if it says none. */
export function instantOf(text: string): number {
  return text === '' ? Math.floor(Date.now() / 1000) * 1000 : timeOf(text);
}

/** Reads step, start and end, in the original's order. */
export function boundsOf(texts: {
  readonly start: string;
  readonly end: string;
  readonly step: string;
}): RangeBounds {
  const stepMs = named('step', () => stepOf(texts.step));
  const startMs = named('start', () => timeOf(texts.start));
  const endMs = named('end', () => timeOf(texts.end));
  return { startMs, endMs, stepMs };
}

/** Seconds or a duration; below zero, too, which is refused later and with another text. */
function stepOf(text: string): number {
  const ms = DECIMAL.test(text) ? Math.round(Number(text) * 1000) : parseDuration(text);
  if (ms !== undefined && Math.abs(ms) <= DURATION_MS_MAX) return ms;
  throw badData(`cannot parse ${JSON.stringify(text)} to a valid step`);
}

function named<T>(name: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw badData(`couldn't parse ${name}: ${error instanceof Error ? error.message : error}`);
  }
}
