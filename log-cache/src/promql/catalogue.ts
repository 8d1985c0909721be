/**
 * What there is to ask for: series, the names and values of their labels, and metrics. Grafana fills
 * its menus with it.
 *
 *     series, labels, label/NAME/values, metadata      ?match[] &start &end &limit
 *
 * Each request walks the envelopes that may be meant, and nothing is kept from one to the next: with
 * a `source_id` in `match[]` those are that source's, without any `match[]` all there are.
 */

import { type Form, textParam, textParams } from '../rest/params.ts';
import { badData } from './errors.ts';
import { labelsText } from './format.ts';
import { LABELS_WORK, mapInTurns, sortInTurns } from './in-turns.ts';
import { JsonChunks, jsonText } from './json-chunks.ts';
import { compareText } from './labels.ts';
import { COMPILING_WORK, type Matcher, PatternSizes } from './matcher.ts';
import { METRIC_NAME } from './names.ts';
import { TIME_MS_MAX, timeOf } from './params.ts';
import { parse } from './parse.ts';
import type { Asker, Querier, SeriesQuestion } from './querier.ts';
import type { Pace, Selected, Series, SeriesType } from './series.ts';

/** The answer to a request. */
export interface Reply {
  readonly body: Buffer;
  /** The nodes, as ZONE/INDEX, that could not be asked. */
  readonly unreachable: readonly string[];
}

export type Handler = (querier: Querier, form: Form, asker: Asker) => Promise<Reply>;

const METADATA: Readonly<Record<SeriesType, { readonly type: string; readonly help: string }>> = {
  counter: { type: 'counter', help: '' },
  gauge: { type: 'gauge', help: '' },
  timer: { type: 'gauge', help: 'How long something took.' },
  log: { type: 'counter', help: 'Log lines that the cache holds.' },
};

/** So many `match[]` may be in one request. */
const LISTS_MAX = 100;
/** What a character of them costs, in steps of work. */
const READING_WORK = 4;

/** By the path below `/api/v1/`. */
export const CATALOGUE: Readonly<Record<string, Handler>> = {
  async series(querier, form, asker) {
    if (textsOf(form).length === 0) throw badData('no match[] parameter provided');
    return answered(querier, { form, asker }, async ({ series }, text) =>
      text.list(limited(form, series), ({ labels }) => labelsText(labels)),
    );
  },
  async labels(querier, form, asker) {
    return listed(querier, { form, asker }, async ({ series }, pace) => {
      const names = new Set<string>();
      await mapInTurns(pace, series, labelsWork, ({ labels }) => {
        for (const [name] of labels) names.add(name);
      });
      return names;
    });
  },
  async metadata(querier, form, asker) {
    const wanted = textParam(form, 'metric');
    const perMetric = limitOf(form, 'limit_per_metric');
    return answered(querier, { form, asker }, async ({ series }, text, pace) => {
      const byName = new Map<string, Set<string>>();
      await mapInTurns(pace, series, labelsWork, ({ labels, type, unit }) => {
        const name = labels.get(METRIC_NAME);
        if (wanted !== '' && name !== wanted) return;
        const told = { ...METADATA[type], unit: type === 'timer' ? 'nanoseconds' : unit };
        const known = byName.get(name) ?? new Set();
        byName.set(name, known.add(jsonText(told)));
      });
      const entries = await sortInTurns(pace, [...byName], ([a], [b]) => compareText(a, b));
      const textOf = ([name, all]: (typeof entries)[number]): string =>
        `${jsonText(name)}:[${[...all].sort().slice(0, perMetric).join(',')}]`;
      await text.list(limited(form, entries), textOf, '{}');
    });
  },
};

export async function labelValues(
  querier: Querier,
  form: Form,
  asker: Asker,
  name: string,
): Promise<Reply> {
  return listed(querier, { form, asker }, async ({ series }, pace) => {
    const values = new Set(
      await mapInTurns(pace, series, labelsWork, ({ labels }) => labels.get(name)),
    );
    values.delete('');
    return values;
  });
}

/** What an answer says of nodes that are missing in it. */
export function warningsOf(unreachable: readonly string[]): readonly string[] {
  return unreachable.map((node) => `the log cache ${node} could not be asked`);
}

interface Asked {
  readonly form: Form;
  readonly asker: Asker;
}

/** Answers with some of these texts, sorted. */
function listed(
  querier: Querier,
  asked: Asked,
  textsOf: (selected: Selected, pace: Pace) => Promise<ReadonlySet<string>>,
): Promise<Reply> {
  return answered(querier, asked, async (selected, text, pace) => {
    const texts = [...(await textsOf(selected, pace))];
    const sorted = await sortInTurns(pace, texts, compareText);
    await text.list(limited(asked.form, sorted), jsonText);
  });
}

/** Selects the series that a request is about, all of them if it doesn't say which. */
function answered(
  querier: Querier,
  { form, asker }: Asked,
  write: (selected: Selected, text: JsonChunks, pace: Pace) => Promise<void>,
): Promise<Reply> {
  const ask = async (pace: Pace): Promise<SeriesQuestion> => {
    const lists = await matchersOf(form, pace);
    return { lists: lists.length === 0 ? [[]] : lists, ...timesOf(form) };
  };
  return querier.series(ask, asker, async (selected, pace) => {
    const { unreachable } = selected;
    const text = new JsonChunks(pace);
    text.add('{"status":"success","data":');
    await write(selected, text, pace);
    if (unreachable.length > 0) text.add(`,"warnings":${jsonText(warningsOf(unreachable))}`);
    text.add('}\n');
    return { body: await text.take(), unreachable };
  });
}

function labelsWork({ labels }: Series): number {
  return labels.pairs.length + LABELS_WORK;
}

function textsOf(form: Form): readonly string[] {
  // The brackets have been taken for what they mean in other parameters: one more, empty value.
  const texts = textParams(form, 'match').filter((text) => text !== '');
  if (texts.length > LISTS_MAX) throw badData(`more than ${LISTS_MAX} match[] parameters`);
  return texts;
}

async function matchersOf(form: Form, pace: Pace): Promise<readonly (readonly Matcher[])[]> {
  const sizes = new PatternSizes();
  const lists: (readonly Matcher[])[] = [];
  for (const text of textsOf(form)) {
    const before = sizes.sum;
    const expr = parse(text, sizes);
    if (expr.type !== 'selector') {
      throw badData(`invalid parameter "match[]": ${JSON.stringify(text)} is no selector`);
    }
    lists.push(expr.matchers);
    const compiled = (sizes.sum - before) * COMPILING_WORK;
    if (pace.isDue(text.length * READING_WORK + compiled)) await pace.pause();
  }
  return lists;
}

function timesOf(form: Form): { readonly startMs: number; readonly endMs: number } {
  const start = textParam(form, 'start');
  const end = textParam(form, 'end');
  const startMs = start === '' ? -TIME_MS_MAX : timeOf(start);
  const endMs = end === '' ? TIME_MS_MAX : timeOf(end);
  if (endMs < startMs) throw badData('end timestamp must not be before start time');
  return { startMs, endMs };
}

function limited<T>(form: Form, items: readonly T[]): readonly T[] {
  return items.slice(0, limitOf(form, 'limit'));
}

/** Undefined, if there is none. */
function limitOf(form: Form, name: string): number | undefined {
  const text = textParam(form, name);
  if (!/^\d{0,9}$/.test(text)) throw badData(`${name} must be a number`);
  return Number(text) || undefined;
}
