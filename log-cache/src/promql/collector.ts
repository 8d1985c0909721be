/**
 * Makes series of envelopes, from their bytes.
 *
 *     envelope   │ time │ source id, … │ counter │ … tags │
 *                            ╰── outsides.ts ──────────╯      ──▶ labels, and samples under them
 *
 * Hot: called for each envelope in a query's time.
 *
 * Names of metrics are sanitised; labels are the tags as they are, the source id and the instance id
 * (over tags of those names), and the name. Empty ones are left out. Times are whole seconds.
 */

import {
  FieldReader,
  GaugeValueParts,
  Kind,
  LogParts,
  MapEntries,
  NamedParts,
} from '@standpipe/protos';
import type { Cursor } from '../cursor.ts';
import { LABELS_WORK, mapInTurns } from './in-turns.ts';
import { Labels } from './labels.ts';
import { LOG_LINES, LOG_TYPE } from './log-lines.ts';
import type { Matcher } from './matcher.ts';
import { METRIC_NAME, sanitised } from './names.ts';
import { type Name, type Outside, Outsides, SERIES_MAX } from './outsides.ts';
import { PartIds, textOf, tooMany } from './part-ids.ts';
import { SampleList } from './sample-list.ts';
import type { Pace, Selection, Series, SeriesType } from './series.ts';

const WORD = 2 ** 32;

/** What it costs, in steps of work, to decode labels that were not seen before, or to make a series. */
const NEW_WORK = 100;

/** The names that a log's two types stand for. */
const LOG_TYPES = [
  { text: 'OUT', isWanted: true },
  { text: 'ERR', isWanted: true },
] as const;

export class Collector {
  /** A bit for each kind of envelope that can have samples. */
  readonly kinds: number;
  /** How many samples there are. */
  count = 0;
  /** How many shown envelopes were read: those of a kind and time that may have samples. */
  readCount = 0;
  /** Steps of work that matching took, and making series. */
  #extraWork = 0;
  readonly #matchers: readonly Matcher[];
  readonly #nameMatchers: readonly Matcher[];
  readonly #labelsOnly: boolean;
  readonly #startMs: number;
  readonly #names = new PartIds<Name>();
  readonly #outsides = new Outsides();
  readonly #series = new Map<string, SampleList>();

  readonly #named = new NamedParts();
  readonly #gauge = new GaugeValueParts();
  readonly #log = new LogParts();
  readonly #metrics = new MapEntries();
  readonly #metricFields = new FieldReader();

  constructor({ matchers, labelsOnly, startMs }: Selection) {
    this.#matchers = matchers.filter(({ name }) => name !== METRIC_NAME);
    this.#nameMatchers = matchers.filter(({ name }) => name === METRIC_NAME);
    this.#labelsOnly = labelsOnly;
    this.#startMs = startMs;
    const metrics = (1 << Kind.counter) | (1 << Kind.gauge) | (1 << Kind.timer);
    const isOnlyLogs = this.#nameMatchers.some(
      ({ op, value }) => op === '=' && value === LOG_LINES,
    );
    this.kinds = (this.#isNameWanted(LOG_LINES) ? 1 << Kind.log : 0) | (isOnlyLogs ? 0 : metrics);
  }

  /** Whether lines from before the selection's time count. */
  get wantsLogs(): boolean {
    return (this.kinds & (1 << Kind.log)) !== 0 && !this.#labelsOnly;
  }

  /** Steps of work that there was besides a look at each envelope. */
  get extraWork(): number {
    return this.#extraWork + this.#outsides.count * NEW_WORK;
  }

  /** Adds what the bare envelope bytes[start, end) has, at a time in milliseconds. */
  add(bytes: Uint8Array, start: number, end: number, kind: number, timeMs: number): void {
    if (!this.#canHave(kind, timeMs)) return;
    this.#addBody(this.#outsides.of(bytes, start, end), kind, timeMs);
  }

  /** The same for the envelope that a cursor shows. */
  addShown(cursor: Cursor, timeMs: number): void {
    if (!this.#canHave(cursor.kind, timeMs)) return;
    this.readCount += 1;
    this.#addBody(this.#outsides.at(cursor), cursor.kind, timeMs);
  }

  /** What was collected; nothing may be added any more. */
  take(pace: Pace): Promise<Series[]> {
    return mapInTurns(
      pace,
      this.#series.values(),
      () => LABELS_WORK,
      (list) => list.series(),
    );
  }

  #canHave(kind: number, timeMs: number): boolean {
    return ((1 << kind) & this.kinds) !== 0 && (kind === Kind.log || timeMs >= this.#startMs);
  }

  /** Adds what is in the body that `outsides` has found. */
  #addBody(outside: Outside, kind: number, timeMs: number): void {
    const { bytes, bodyStart, bodyEnd } = this.#outsides;
    if (kind === Kind.gauge) this.#addGauge(bytes, bodyStart, bodyEnd, outside, timeMs);
    else if (kind === Kind.log) this.#addLog(bytes, bodyStart, bodyEnd, outside, timeMs);
    else this.#addNamed(bytes, bodyStart, bodyEnd, { outside, kind, timeMs });
  }

  #addNamed(
    bytes: Uint8Array,
    from: number,
    to: number,
    {
      outside,
      kind,
      timeMs,
    }: { readonly outside: Outside; readonly kind: number; readonly timeMs: number },
  ): void {
    const parts = this.#named.read(bytes, from, to);
    const name = this.#nameOf(bytes, parts.nameStart, parts.nameEnd);
    if (!name.isWanted) return;
    const isCounter = kind === Kind.counter;
    const type = isCounter ? 'counter' : 'timer';
    const list = this.#listOf(outside, name, type);
    if (list === undefined) return;
    const { secondHigh, secondLow, thirdHigh, thirdLow } = parts;
    const third = isCounter ? thirdHigh * WORD + thirdLow : (thirdHigh | 0) * WORD + thirdLow;
    this.#push(
      list,
      timeMs,
      isCounter ? third : differenceOf(thirdHigh, thirdLow, secondHigh, secondLow),
    );
  }

  #addGauge(bytes: Uint8Array, from: number, to: number, outside: Outside, timeMs: number): void {
    const metrics = this.#metrics;
    this.#readMetrics(bytes, from, to);
    for (let index = 0; index < metrics.count; index += 1) {
      // Below the count, so within the columns.
      const keyStart = metrics.keyStart[index] as number;
      const keyEnd = metrics.keyEnd[index] as number;
      const name = this.#nameOf(bytes, keyStart, keyEnd);
      if (!name.isWanted) continue;
      const list = this.#listOf(outside, name, 'gauge');
      if (list === undefined) continue;
      const valueStart = metrics.valueStart[index] as number;
      const parts = this.#gauge.read(bytes, valueStart, metrics.valueEnd[index] as number);
      if (list.unit === '' && parts.unitEnd > parts.unitStart) {
        list.unit = textOf(bytes, parts.unitStart, parts.unitEnd);
      }
      this.#push(list, timeMs, parts.value);
    }
  }

  /** Finds the entries of a gauge's map. */
  #readMetrics(bytes: Uint8Array, from: number, to: number): void {
    const metrics = this.#metrics;
    metrics.clear();
    const fields = this.#metricFields.over(bytes, from, to);
    while (fields.next()) {
      if (fields.field === 1 && fields.wireType === 2) metrics.add(bytes, fields.start, fields.end);
    }
  }

  #addLog(bytes: Uint8Array, from: number, to: number, outside: Outside, timeMs: number): void {
    const { type } = this.#log.read(bytes, from, to);
    const list = this.#listOf(outside, LOG_TYPES[type === 1 ? 1 : 0], 'log');
    if (list === undefined) return;
    // What was before the selection is one sum.
    const time = Math.max(timeMs, Math.ceil(this.#startMs / 1000) * 1000 - 1000);
    if (this.#labelsOnly && timeMs < this.#startMs) return;
    if (list.lastMs === time) list.addToLast(1);
    else this.#push(list, time, 1);
  }

  #push(list: SampleList, timeMs: number, value: number): void {
    if (this.#labelsOnly) {
      list.isThere = true;
      return;
    }
    list.push(timeMs, value);
    this.count += 1;
  }

  #nameOf(bytes: Uint8Array, start: number, end: number): Name {
    return this.#names.again(bytes, start, end, (from, to) => {
      const text = sanitised(textOf(bytes, from, to));
      return { text, isWanted: text !== LOG_LINES && this.#isNameWanted(text) };
    });
  }

  #isNameWanted(name: string): boolean {
    return this.#nameMatchers.every((matcher) => this.#isMatch(matcher, name));
  }

  #isMatch(matcher: Matcher, value: string): boolean {
    const isMatch = matcher.matches(value);
    this.#extraWork += matcher.takeWork();
    return isMatch;
  }

  #listOf(outside: Outside, name: Name, type: SeriesType): SampleList | undefined {
    if (outside.lastName !== name) {
      outside.lastSeries = this.#lookedUp(outside, name, type);
      outside.lastName = name;
    }
    return outside.lastSeries;
  }

  #lookedUp({ labels, series }: Outside, name: Name, type: SeriesType): SampleList | undefined {
    const known = series.get(name);
    if (known !== undefined || series.has(name)) return known;
    this.#extraWork += NEW_WORK;
    const own: (readonly [string, string])[] =
      type === 'log'
        ? [
            [LOG_TYPE, name.text],
            [METRIC_NAME, LOG_LINES],
          ]
        : [[METRIC_NAME, name.text]];
    const all = Labels.of([...labels, ...own]);
    const isWanted = this.#matchers.every((matcher) =>
      this.#isMatch(matcher, all.get(matcher.name)),
    );
    const list = isWanted ? this.#newList(all, type) : undefined;
    series.set(name, list);
    return list;
  }

  /** Two names may be one when they are sanitised, and two orders of tags may come to one series. */
  #newList(labels: Labels, type: SeriesType): SampleList {
    const known = this.#series.get(labels.key);
    if (known !== undefined) return known;
    if (this.#series.size >= SERIES_MAX) throw tooMany();
    const list = new SampleList(labels, type);
    this.#series.set(labels.key, list);
    return list;
  }
}

/** Stop less start: 64 bits in all, so that what is short is exact. */
function differenceOf(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  return ((aHigh | 0) - (bHigh | 0)) * WORD + (aLow - bLow);
}
