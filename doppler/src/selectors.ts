/**
 * What a v2 subscription asks for: the selectors of its request, read once and checked.
 *
 * A selector without a kind selects nothing and is left out; so a request that has no other is
 * accepted and stays silent, as Loggregator's Doppler has it. `legacy_selector` and
 * `use_preferred_tags` concern the reverse log proxy alone and are not looked at.
 */

import { Kind, type loggregator } from '@standpipe/protos';

/** The most selectors of one request; a request of more is refused. */
export const SELECTORS_MAX = 10_000;

/**
 * How often one request may list the same selector; one that lists any more often is refused. Each
 * adds a copy of what it fits, or a share in it, and so few clients can ask for more than there is.
 */
export const COPIES_MAX = 10;

export interface Selector {
  /** The source whose envelopes are wanted; empty: those of every source. */
  readonly sourceId: string;
  readonly kind: Exclude<Kind, typeof Kind.none>;
  /**
   * A counter's name, or all the names of a gauge's metrics, in any order: a gauge with one more or
   * one less does not fit. None: whatever the name.
   */
  readonly names: readonly string[];
}

/** The selectors of a request that select something. */
export function readSelectors(
  selectors: readonly loggregator.v2.ISelector[] | null | undefined,
): Selector[] {
  const read: Selector[] = [];
  for (const selector of selectors ?? []) {
    const sourceId = selector.source_id ?? '';
    // Of several kinds in one selector the last on the wire counts; no client sends such a thing,
    // and the order here only decides what then happens.
    if (selector.event) read.push({ sourceId, kind: Kind.event, names: [] });
    else if (selector.timer) read.push({ sourceId, kind: Kind.timer, names: [] });
    else if (selector.gauge) read.push({ sourceId, kind: Kind.gauge, names: gaugeNames(selector) });
    else if (selector.counter) {
      read.push({ sourceId, kind: Kind.counter, names: counterNames(selector) });
    } else if (selector.log) read.push({ sourceId, kind: Kind.log, names: [] });
  }
  return read;
}

/** How often the selector is listed that is listed most often. */
export function mostCopies(selectors: readonly Selector[]): number {
  const copies = new Map<string, number>();
  let most = 0;
  for (const { sourceId, kind, names } of selectors) {
    const key = JSON.stringify([sourceId, kind, ...names.toSorted()]);
    const count = (copies.get(key) ?? 0) + 1;
    copies.set(key, count);
    most = Math.max(most, count);
  }
  return most;
}

function gaugeNames({ gauge }: loggregator.v2.ISelector): readonly string[] {
  return gauge?.names ?? [];
}

function counterNames({ counter }: loggregator.v2.ISelector): readonly string[] {
  return counter?.name ? [counter.name] : [];
}

const KIND_NAMES = ['none', 'log', 'counter', 'gauge', 'timer', 'event'] as const;

/** How many selectors a description spells out; of the rest it says only how many there are. */
const DESCRIBED_MAX = 5;

/** The selectors for an operator to read: `log of 5c7a…, counter "hits" of any source`. */
export function describeSelectors(selectors: readonly Selector[]): string {
  if (selectors.length === 0) return 'nothing';
  const described = selectors.slice(0, DESCRIBED_MAX).map(describeSelector).join(', ');
  const more = selectors.length - DESCRIBED_MAX;
  return more > 0 ? `${described} and ${more} more` : described;
}

function describeSelector({ sourceId, kind, names }: Selector): string {
  const named = names.length > 0 ? ` ${JSON.stringify(shorten(names.join(',')))}` : '';
  const source = sourceId === '' ? 'any source' : shorten(sourceId);
  return `${KIND_NAMES[kind]}${named} of ${source}`;
}

const SHORT_LENGTH_MAX = 80;

/** Text of a peer for the log: as it is, unless it is so long that it would fill it. */
export function shorten(text: string): string {
  return text.length > SHORT_LENGTH_MAX ? `${text.slice(0, SHORT_LENGTH_MAX)}…` : text;
}
