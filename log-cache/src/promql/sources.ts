/**
 * Which sources a query asks for, for those who decide what somebody may see.
 *
 *     sourceIdsIn('cpu{source_id="a"} + mem{source_id=~"b|c"}')   ['a', 'b', 'c']
 *     withSourceIds(query, (id) => ['a', 'd'])                     the query with other ids in it
 *     restricted(source, ids)                                      a source with nothing else in it
 */

import { selectorsOf } from './ast.ts';
import { oneOf } from './matcher.ts';
import { SOURCE_ID } from './names.ts';
import { parse } from './parse.ts';
import type { Selection, SeriesSource } from './series.ts';

/**
 * The source ids that the selectors of a query name, each once; none, when it has no selectors and so
 * reads nothing. Undefined, when one of them names none and so asks for all, or when they name no
 * more than the empty id. Throws a QueryError, when it is no query.
 */
export function sourceIdsIn(query: string): readonly string[] | undefined {
  const ids = new Set<string>();
  const selectors = [...selectorsOf(parse(query))];
  for (const { matchers } of selectors) {
    const named = matchers
      .filter(({ name }) => name === SOURCE_ID)
      .map(({ literals }) => literals)
      .filter((literals) => literals !== undefined);
    const [first] = named;
    if (first === undefined) return undefined;
    // Several matchers leave no more than the first of them.
    for (const id of first) if (id !== '') ids.add(id);
  }
  return selectors.length > 0 && ids.size === 0 ? undefined : [...ids];
}

/**
 * The query with other source ids: each id that a selector names is replaced by those that
 * `replace` gives for it. A selector whose ids stay is left as it is. Throws a QueryError.
 */
export function withSourceIds(query: string, replace: (id: string) => readonly string[]): string {
  let text = query;
  for (const { matchers, spans } of [...selectorsOf(parse(query))].reverse()) {
    for (const [index, { name, literals }] of [...matchers.entries()].reverse()) {
      const span = spans[index];
      if (name !== SOURCE_ID || literals === undefined || span === undefined) continue;
      const ids = [...new Set(literals.flatMap(replace))];
      if (ids.join('|') === literals.join('|')) continue;
      text = text.slice(0, span.from) + matcherText(ids) + text.slice(span.to);
    }
  }
  return text;
}

function matcherText(ids: readonly string[]): string {
  const [only = ''] = ids;
  if (ids.length <= 1) return `${SOURCE_ID}=${JSON.stringify(only)}`;
  return `${SOURCE_ID}=~${JSON.stringify(oneOf(ids))}`;
}

/** What has only these sources in it. */
export function restricted(source: SeriesSource, ids: ReadonlySet<string>): SeriesSource {
  return {
    async select(selection, pace) {
      const selected = await source.select({ ...selection, sources: ids }, pace);
      // Whoever answers has been asked for no others; this makes sure.
      const series = selected.series.filter(({ labels }) => ids.has(labels.get(SOURCE_ID)));
      return { ...selected, series };
    },
  };
}

/** The sources that a selection can have something of; undefined: any. */
export function sourcesOf({ matchers, sources }: Selection): readonly string[] | undefined {
  const lists = matchers
    .filter(({ name }) => name === SOURCE_ID)
    .map(({ literals }) => literals)
    .filter((literals) => literals !== undefined);
  if (sources !== undefined) lists.push([...sources]);
  const [first, ...others] = lists;
  if (first === undefined) return undefined;
  return [...new Set(first)].filter((id) => others.every((ids) => ids.includes(id)));
}
