/** For tests: answers of the oracle and ours in one form, and whether they are the same. */

import type { QueryError } from './errors.ts';
import { plainNumber, type Result } from './format.ts';

const TOLERANCE = 1e-9;

export const OVER_A_RANGE = ' over a range';

type Points = readonly (readonly [timeMs: number, value: number])[];

export interface Readable {
  readonly type: string;
  /** What a string says, or the type of an error and its words. */
  readonly text: string;
  /** Labels, each with its times and values, in the answer's order. */
  readonly rows: readonly (readonly [labels: string, points: Points])[];
}

// biome-ignore lint/suspicious/noExplicitAny: what Prometheus answers is JSON.
export function readable(answer: any): Readable {
  if (answer.status !== 'success') {
    return refused(answer.errorType, answer.error.replace(/^invalid parameter "query": /, ''));
  }
  const { resultType: type, result } = answer.data;
  const point = ([time, value]: [number, string]): readonly [number, number] => [
    Math.round(time * 1000),
    Number(value.replace('Inf', 'Infinity')),
  ];
  if (type === 'string') return { type, text: result[1], rows: [] };
  if (type === 'scalar') return { type, text: '', rows: [['', [point(result)]]] };
  const rows: [string, Points][] = [];
  for (const { metric, value, values } of result) {
    rows.push([labelsKey(Object.entries(metric)), (values ?? [value]).map(point)]);
  }
  return { type, text: '', rows };
}

export function shown(result: Result): Readable {
  const { type } = result;
  switch (type) {
    case 'string':
      return { type, text: result.value, rows: [] };
    case 'scalar':
      return { type, text: '', rows: [['', [[result.timeMs, result.value]]]] };
    case 'vector': {
      const rows = result.samples.map(({ labels, timeMs, value }): [string, Points] => [
        labelsKey(labels),
        [[timeMs, value]],
      ]);
      return { type, text: '', rows };
    }
    case 'matrix': {
      const rows = result.series.map(({ labels, times, values }): [string, Points] => [
        labelsKey(labels),
        Array.from(times, (time, index) => [time, values[index] ?? 0]),
      ]);
      return { type, text: '', rows };
    }
  }
}

export function refusal({ type, message }: QueryError): Readable {
  return refused(type, message);
}

function refused(type: string, message: string): Readable {
  return { type: 'error', text: `${type}: ${message}`, rows: [] };
}

function labelsKey(labels: Iterable<readonly [string, string]>): string {
  return JSON.stringify([...labels].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Whether the answers to a query, at a time or over a range, are the same. Series come in any order,
 * but for instant queries that sort: there their values are in order.
 */
export function isSame(what: string, ours: Readable, theirs: Readable): boolean {
  if (ours.type !== theirs.type) return false;
  if (wordsOf(what, ours) !== wordsOf(what, theirs)) return false;
  if (ours.rows.length !== theirs.rows.length) return false;
  const own = new Map(ours.rows);
  if (own.size !== ours.rows.length) return false;
  const isRanked = ours.type === 'vector' && /^(?:sort|topk|bottomk)/.test(what);
  return theirs.rows.every(([labels, points], index) => {
    const isInOrder = !isRanked || areSame(ours.rows[index]?.[1], points);
    return isInOrder && areSame(own.get(labels), points);
  });
}

/**
 * The text of an answer, but for what is by chance in it: steps of a range have their series in the
 * order of a map in Go, and so has which of duplicates comes first, or is told at all.
 */
function wordsOf(what: string, { text }: Readable): string {
  if (!what.includes(OVER_A_RANGE) && !what.includes('[')) return text;
  return text.replace(/^(execution: found duplicate series)(.*)(on the .*: )\[.*\];/s, '$1 $3');
}

function areSame(own: Points | undefined, points: Points): boolean {
  if (own?.length !== points.length) return false;
  return points.every(([time, value], index) => {
    const [ownTime, ownValue] = own[index] ?? [0, 0];
    return time === ownTime && isClose(ownValue, value);
  });
}

function isClose(a: number, b: number): boolean {
  if (Object.is(a, b)) return true;
  if (a === 0 && b === 0) return false; // They are written as 0 and -0.
  return Math.abs(a - b) <= TOLERANCE * Math.max(Math.abs(a), Math.abs(b), 1e-3);
}

export function difference(what: string, ours: Readable, theirs: Readable): string {
  const plain = (_: string, value: unknown): unknown =>
    typeof value === 'number' ? plainNumber(value) : value;
  const of = ({ type, text, rows }: Readable): string =>
    `${type} ${text}${JSON.stringify(rows, plain).slice(0, 700)}`;
  return `${what}\n  ours   ${of(ours)}\n  theirs ${of(theirs)}`;
}
