/**
 * What a drain's URL says about what it wants: which kinds of envelope, and whether their tags.
 *
 *     drain-type                    logs, metrics, all              (older; no events with logs)
 *     drain-data                    logs, metrics, traces, all      (newer; wins)
 *     include-metrics-deprecated    any text: everything            (beats both)
 *     disable-metadata              true or false                   (omit-metadata, when it is absent)
 *
 * Values that nobody knows are ignored. loggregator-agent-release v8.3.9 is followed to the letter:
 * `drain-type=all` has no events and no timers, `drain-data=all` has everything.
 */

import { Kind } from '@standpipe/protos';

/** What a drain gets. */
export interface DrainFilter {
  /** The bit `1 << kind` for each kind it wants. */
  readonly kinds: number;
  /** Whether the envelopes' tags go along as structured data. */
  readonly metadata: boolean;
}

const LOGS = 1 << Kind.log;
const EVENTS = 1 << Kind.event;
const METRICS = (1 << Kind.counter) | (1 << Kind.gauge);
const TRACES = 1 << Kind.timer;
const ALL = LOGS | EVENTS | METRICS | TRACES;

const BY_TYPE: ReadonlyMap<string, number> = new Map([
  ['logs', LOGS],
  ['metrics', METRICS],
  ['all', LOGS | METRICS],
]);

const BY_DATA: ReadonlyMap<string, number> = new Map([
  ['logs', LOGS | EVENTS],
  ['metrics', METRICS],
  ['traces', TRACES],
  ['all', ALL],
]);

/** `metadataDefault` is what the platform says when the URL doesn't. */
export function filterOf(url: URL, metadataDefault: boolean): DrainFilter {
  const query = url.searchParams;
  return { kinds: kindsOf(query), metadata: metadataOf(query, metadataDefault) };
}

function kindsOf(query: URLSearchParams): number {
  if ((query.get('include-metrics-deprecated') ?? '') !== '') return ALL;
  const byData = BY_DATA.get(query.get('drain-data') ?? '');
  const byType = BY_TYPE.get(query.get('drain-type') ?? '');
  return byData ?? byType ?? LOGS | EVENTS;
}

function metadataOf(query: URLSearchParams, metadataDefault: boolean): boolean {
  const asked = query.get('disable-metadata') || query.get('omit-metadata') || '';
  if (metadataDefault) return asked !== 'true';
  return asked === 'false';
}
