/**
 * Which sources a query asks for, for those who decide what somebody may see.
 *
 *     sourceIdsIn('cpu{source_id="a"} + mem{source_id=~"b|c"}')   ['a', 'b', 'c']
 *     withSourceIds(query, (id) => ['a', 'd'])                     the query with other ids in it
 *     restricted(source, ids)                                      a source with nothing else in it
 *
 * An expression of dots and `|` names ids as it is written: `=~"my.app|b"` names `my.app`. What it
 * matches is still RE2's, so whoever may see no more than what is named must be shown no more.
 */

import { selectorsOf } from './ast.ts';
import { badData } from './errors.ts';
import { listedIn, type Matcher, oneOf } from './matcher.ts';
import { SOURCE_ID } from './names.ts';
import { parse, QUERY_LENGTH_MAX } from './parse.ts';
import type { Selection, SeriesSource } from './series.ts';

const TOO_MANY_IDS = 'the query is too long with the ids of all apps that it names';

/**
 * The source ids that the selectors of a query name, each once; none, when it has no selectors and so
 * reads nothing. Undefined, when one of them names none and so asks for all, or when they name no
 * more than the empty id. Throws a QueryError, when it is no query.
 */
export function sourceIdsIn(query: string): readonly string[] | undefined {
  const ids = new Set<string>();
  const selectors = [...selectorsOf(parse(query))];
  for (const { matchers } of selectors) {
    const ofSources = matchers.filter(({ name }) => name === SOURCE_ID);
    // Several matchers leave no more than one of them.
    const only = ofSources.find(({ literals }) => literals !== undefined);
    const named = only?.literals ?? ofSources.map(namedBy).find((some) => some !== undefined);
    if (named === undefined) return undefined;
    for (const id of named) if (id !== '') ids.add(id);
  }
  return selectors.length > 0 && ids.size === 0 ? undefined : [...ids];
}

/** The ids that a matcher names; undefined, if it is none that names some. */
function namedBy({ op, value, literals }: Matcher): readonly string[] | undefined {
  return literals ?? (op === '=~' ? listedIn(value, { literalDots: true }) : undefined);
}

/**
 * The query with other source ids: each id that a selector names is replaced by those that
 * `replace` gives for it; an expression with dots gets them besides. A selector whose ids stay is left
 * as it is. Throws a QueryError, also when they make the query longer than one may be.
 */
export function withSourceIds(query: string, replace: (id: string) => readonly string[]): string {
  let text = query;
  for (const { matchers, spans } of [...selectorsOf(parse(query))].reverse()) {
    for (const [index, matcher] of [...matchers.entries()].reverse()) {
      const named = namedBy(matcher);
      const span = spans[index];
      if (matcher.name !== SOURCE_ID || named === undefined || span === undefined) continue;
      const ids = [...new Set(named.flatMap(replace))];
      const written = matcher.literals ? listText(named, ids) : longerText(matcher, named, ids);
      if (written === undefined) continue;
      const length = text.length - (span.to - span.from) + written.length;
      if (length > QUERY_LENGTH_MAX) throw badData(TOO_MANY_IDS);
      text = text.slice(0, span.from) + written + text.slice(span.to);
    }
  }
  return text;
}

/** A matcher of these ids; undefined, if they are those that it has. */
function listText(before: readonly string[], ids: readonly string[]): string | undefined {
  if (ids.join('|') === before.join('|')) return undefined;
  const [only = ''] = ids;
  if (ids.length <= 1) return `${SOURCE_ID}=${JSON.stringify(only)}`;
  return `${SOURCE_ID}=~${JSON.stringify(oneOf(ids))}`;
}

/** A matcher of what it matched and of the ids that it did not name; undefined, without such. */
function longerText(
  { value }: Matcher,
  before: readonly string[],
  ids: readonly string[],
): string | undefined {
  const had = new Set(before);
  const more = ids.filter((id) => !had.has(id));
  if (more.length === 0) return undefined;
  return `${SOURCE_ID}=~${JSON.stringify(`${value}|${oneOf(more)}`)}`;
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
    .filter((literals) => literals !== undefined)
    .map((literals): ReadonlySet<string> => new Set(literals));
  if (sources !== undefined) lists.push(sources);
  const [first, ...others] = lists;
  return first && [...first].filter((id) => others.every((ids) => ids.has(id)));
}
