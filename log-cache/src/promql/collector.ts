/**
 * Makes series of envelopes, from their bytes.
 *
 *     envelope   │ time │ source id, tags, …  │ counter │ … tags │
 *                        ╰──── the same as one before? ────╯      ──▶ that one's labels
 *
 * Hot: called for each envelope in a query's time. Envelopes of one series differ in their time and
 * their value; so what is around these is compared with those of envelopes before, and labels are
 * decoded only for what was never seen. Writers that put their tags in another order each time are
 * known by the sum of random numbers, one for each tag: it is the same in every order.
 *
 * Names of metrics are sanitised; labels are the tags as they are, the source id and the instance id
 * (over tags of those names), and the name. Empty ones are left out. Times are whole seconds.
 */

import {
  EnvelopeParts,
  FieldReader,
  GaugeValueParts,
  Kind,
  LogParts,
  NamedParts,
} from '@standpipe/protos';
import { Labels } from './labels.ts';
import { LOG_LINES, LOG_TYPE } from './log-lines.ts';
import type { Matcher } from './matcher.ts';
import { INSTANCE_ID, METRIC_NAME, SOURCE_ID, sanitised } from './names.ts';
import { PartIds, tooMany } from './part-ids.ts';
import { SampleList } from './sample-list.ts';
import type { Selection, Series, SeriesType } from './series.ts';
import { SkeletonCache } from './skeleton-cache.ts';

/** More series are no answer to a query. */
const SERIES_MAX = 50_000;

/** A name in the envelopes' bytes. */
interface Name {
  readonly text: string;
  /** Whether the matchers of names let it pass. */
  readonly isWanted: boolean;
}

/** The labels that an envelope has besides the metric's name, and the series under them. */
interface Base {
  readonly labels: readonly (readonly [string, string])[];
  /** By name, or for logs by their type. */
  readonly series: Map<Name, SampleList | undefined>;
}

const WORD = 2 ** 32;
/** So that the sum of a hundred is exact. */
const WEIGHT_MAX = 2 ** 46;

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
  /** Steps of work that there was besides a look at each envelope: matching, and making series. */
  extraWork = 0;

  readonly #matchers: readonly Matcher[];
  readonly #nameMatchers: readonly Matcher[];
  readonly #labelsOnly: boolean;
  readonly #startMs: number;
  readonly #names = new PartIds<Name>();
  readonly #sources = new PartIds<number>();
  readonly #instances = new PartIds<number>();
  readonly #tags = new PartIds<number>();
  readonly #bases = new Map<number, Base>();
  readonly #skeletons = new SkeletonCache<Base>();
  readonly #series = new Map<string, SampleList>();

  readonly #envelope = new EnvelopeParts();
  readonly #named = new NamedParts();
  readonly #gauge = new GaugeValueParts();
  readonly #log = new LogParts();
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

  /** Adds what the bare envelope bytes[start, end) has, at a time in milliseconds. */
  add(bytes: Uint8Array, start: number, end: number, kind: number, timeMs: number): void {
    if (((1 << kind) & this.kinds) === 0) return;
    if (kind !== Kind.log && timeMs < this.#startMs) return;
    const skeletons = this.#skeletons;
    let base = skeletons.find(bytes, start, end);
    let from = skeletons.bodyStart;
    let to = skeletons.bodyEnd;
    let of = bytes;
    if (base === undefined) {
      const envelope = this.#envelope.read(bytes, start, end);
      base = this.#baseOf(envelope);
      of = envelope.bytes;
      from = envelope.bodyStart;
      to = envelope.bodyEnd;
      // An envelope with its message in pieces has been written anew, and is no model for others.
      if (of === bytes) skeletons.remember(bytes, start, end, base);
    }
    if (kind === Kind.gauge) this.#addGauge(of, from, to, base, timeMs);
    else if (kind === Kind.log) this.#addLog(of, from, to, base, timeMs);
    else this.#addNamed(of, from, to, { base, kind, timeMs });
  }

  /** What was collected; nothing may be added any more. */
  take(): Series[] {
    return [...this.#series.values()].map((list) => list.series());
  }

  #addNamed(
    bytes: Uint8Array,
    from: number,
    to: number,
    { base, kind, timeMs }: { readonly base: Base; readonly kind: number; readonly timeMs: number },
  ): void {
    const parts = this.#named.read(bytes, from, to);
    const name = this.#nameOf(bytes, parts.nameStart, parts.nameEnd);
    if (!name.isWanted) return;
    const isCounter = kind === Kind.counter;
    const type = isCounter ? 'counter' : 'timer';
    const list = this.#listOf(base, name, type);
    if (list === undefined) return;
    const { secondHigh, secondLow, thirdHigh, thirdLow } = parts;
    const third = isCounter ? thirdHigh * WORD + thirdLow : (thirdHigh | 0) * WORD + thirdLow;
    this.#push(
      list,
      timeMs,
      isCounter ? third : differenceOf(thirdHigh, thirdLow, secondHigh, secondLow),
    );
  }

  #addGauge(bytes: Uint8Array, from: number, to: number, base: Base, timeMs: number): void {
    const metrics = this.#envelope.metrics;
    this.#readMetrics(bytes, from, to);
    for (let index = 0; index < metrics.count; index += 1) {
      // Below the count, so within the columns.
      const keyStart = metrics.keyStart[index] as number;
      const keyEnd = metrics.keyEnd[index] as number;
      const name = this.#nameOf(bytes, keyStart, keyEnd);
      if (!name.isWanted) continue;
      const list = this.#listOf(base, name, 'gauge');
      if (list === undefined) continue;
      const valueStart = metrics.valueStart[index] as number;
      const parts = this.#gauge.read(bytes, valueStart, metrics.valueEnd[index] as number);
      if (list.unit === '' && parts.unitEnd > parts.unitStart) {
        list.unit = textOf(bytes, parts.unitStart, parts.unitEnd);
      }
      this.#push(list, timeMs, parts.value);
    }
  }

  /** Finds the entries of a gauge's map, whose body may not have been read with its envelope. */
  #readMetrics(bytes: Uint8Array, from: number, to: number): void {
    const { metrics } = this.#envelope;
    metrics.clear();
    const fields = this.#metricFields.over(bytes, from, to);
    while (fields.next()) {
      if (fields.field === 1 && fields.wireType === 2) metrics.add(bytes, fields.start, fields.end);
    }
  }

  #addLog(bytes: Uint8Array, from: number, to: number, base: Base, timeMs: number): void {
    const { type } = this.#log.read(bytes, from, to);
    const list = this.#listOf(base, LOG_TYPES[type === 1 ? 1 : 0], 'log');
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
    this.extraWork += matcher.takeWork();
    return isMatch;
  }

  #baseOf(envelope: EnvelopeParts): Base {
    const { bytes, tags } = envelope;
    // Each part has its own random number, so that equal sums are equal parts.
    let sum = this.#sources.of(bytes, envelope.sourceStart, envelope.sourceEnd, randomWeight);
    sum += this.#instances.of(bytes, envelope.instanceStart, envelope.instanceEnd, randomWeight);
    for (let index = 0; index < tags.count; index += 1) {
      const start = tags.entryStart[index] as number; // Below the count.
      sum += this.#tags.of(bytes, start, tags.entryEnd[index] as number, randomWeight);
    }
    const known = this.#bases.get(sum);
    if (known !== undefined) return known;
    this.extraWork += NEW_WORK;
    const base = { labels: labelsOf(envelope), series: new Map() };
    this.#bases.set(sum, base);
    if (this.#bases.size > SERIES_MAX) throw tooMany();
    return base;
  }

  #listOf(base: Base, name: Name, type: SeriesType): SampleList | undefined {
    const known = base.series.get(name);
    if (known !== undefined || base.series.has(name)) return known;
    this.extraWork += NEW_WORK;
    const own: (readonly [string, string])[] =
      type === 'log'
        ? [
            [LOG_TYPE, name.text],
            [METRIC_NAME, LOG_LINES],
          ]
        : [[METRIC_NAME, name.text]];
    const labels = Labels.of([...base.labels, ...own]);
    const isWanted = this.#matchers.every((matcher) =>
      this.#isMatch(matcher, labels.get(matcher.name)),
    );
    const list = isWanted ? this.#newList(labels, type) : undefined;
    base.series.set(name, list);
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

function labelsOf(envelope: EnvelopeParts): (readonly [string, string])[] {
  const { bytes, tags } = envelope;
  const labels: (readonly [string, string])[] = [];
  for (let index = 0; index < tags.count; index += 1) {
    // Below the count.
    const name = textOf(bytes, tags.keyStart[index] as number, tags.keyEnd[index] as number);
    const value = textOf(bytes, tags.valueStart[index] as number, tags.valueEnd[index] as number);
    if (name !== METRIC_NAME) labels.push([name, value]);
  }
  const instance = textOf(bytes, envelope.instanceStart, envelope.instanceEnd);
  if (instance !== '') labels.push([INSTANCE_ID, instance]);
  labels.push([SOURCE_ID, textOf(bytes, envelope.sourceStart, envelope.sourceEnd)]);
  return labels;
}

function randomWeight(): number {
  return Math.floor(Math.random() * WEIGHT_MAX);
}

/** Stop less start: 64 bits in all, so that what is short is exact. */
function differenceOf(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  return ((aHigh | 0) - (bHigh | 0)) * WORD + (aLow - bLow);
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
}
