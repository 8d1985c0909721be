/**
 * What a process counts, declared once with its help, and told in three ways: as Prometheus text
 * on a loopback port (serve-metrics.ts), as statsd lines (push-metrics.ts), and to an agent (the
 * workspace metric-emitter).
 *
 * Names may have dots, since some of the original's have. Prometheus knows none, so its text shows
 * an underscore for each; two names that would then be one are refused.
 *
 * Adding to a counter is one addition on a JavaScript number; prom-client sees the values only
 * when somebody asks for the text. So counters may stand in hot paths, once per batch.
 */

import assert from 'node:assert/strict';
import { Counter as PromCounter, Gauge as PromGauge, Registry } from 'prom-client';

export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(n: number): void;
  readonly value: number;
}

export interface Gauge {
  set(n: number): void;
  add(n: number): void;
  readonly value: number;
}

export interface GaugeOptions {
  readonly unit?: string;
  readonly labels?: Labels;
  /** Reads the value when it is asked for, instead of it being set. */
  readonly read?: () => number;
}

/** One metric with one set of labels. */
export interface Series {
  readonly name: string;
  readonly labels: Labels;
  readonly type: 'counter' | 'gauge';
  /** What a gauge is measured in; '' if that was not said. */
  readonly unit: string;
  readonly value: number;
}

/** One value of a collection. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** Series that are found only when somebody looks. */
export interface Collection {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly read: () => Iterable<Sample>;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly unit: string;
  /** By their labels in one canonical form. */
  readonly series: Map<string, Value>;
}

export class Metrics {
  readonly origin: string;
  readonly tags: Labels;
  /** By their names as Prometheus knows them. */
  readonly #families = new Map<string, Family>();
  readonly #collections: Collection[] = [];

  constructor(options: { readonly origin: string; readonly tags?: Labels }) {
    this.origin = options.origin;
    this.tags = options.tags ?? {};
  }

  /**
   * The counter of this name and these labels, the same one each time it is asked for. With `read`
   * it is a second name for what something else counts.
   */
  counter(name: string, help: string, labels: Labels = {}, read?: () => number): Counter {
    return this.#value({ name, help, type: 'counter', unit: '' }, labels, read);
  }

  /** The gauge of this name and these labels, the same one each time it is asked for. */
  gauge(name: string, help: string, options: GaugeOptions = {}): Gauge {
    const { unit = '', labels = {}, read } = options;
    const told = unit === '' ? help : `${help} (${unit})`;
    return this.#value({ name, help: told, type: 'gauge', unit }, labels, read);
  }

  /**
   * Forgets a series, when what it measured is gone: a drain, a subscription. What it gained since
   * the last push is pushed no more.
   */
  remove(name: string, labels: Labels = {}): void {
    this.#families.get(shown(name))?.series.delete(keyOf(labels));
  }

  /**
   * Tells series that come and go, such as the largest of many. They stand in the Prometheus text
   * and nowhere else. Their number is the collection's own to bound.
   */
  collect(collection: Collection): void {
    this.#collections.push(collection);
  }

  /** All values as they are now. */
  *series(): Iterable<Series> {
    for (const family of this.#families.values()) yield* family.series.values();
  }

  /** The exposition format of Prometheus. */
  async text(): Promise<string> {
    const registry = new Registry();
    registry.setDefaultLabels(this.tags);
    for (const family of this.#families.values()) {
      expose(family, [...family.series.values()], registry);
    }
    for (const collection of this.#collections) {
      expose(collection, [...collection.read()], registry);
    }
    return registry.metrics();
  }

  #value(wanted: Omit<Family, 'series'>, labels: Labels, read?: () => number): Value {
    const { name, type, unit } = wanted;
    assert(/^[a-zA-Z_:][a-zA-Z0-9_:.]*$/.test(name), `${name} is no name for a metric`);
    let family = this.#families.get(shown(name));
    if (family === undefined) {
      family = { ...wanted, series: new Map() };
      this.#families.set(shown(name), family);
    }
    assert(family.name === name, `${name} would look like ${family.name}`);
    assert(family.type === type, `${name} is a ${family.type} already`);

    const key = keyOf(labels);
    let value = family.series.get(key);
    if (value === undefined) {
      value = new Value({ name, labels, type, unit }, read);
      family.series.set(key, value);
    }
    return value;
  }
}

class Value implements Counter, Gauge, Series {
  readonly name: string;
  readonly labels: Labels;
  readonly type: 'counter' | 'gauge';
  readonly unit: string;
  readonly #read: (() => number) | undefined;
  #value = 0;

  constructor(series: Omit<Series, 'value'>, read: (() => number) | undefined) {
    this.name = series.name;
    this.labels = series.labels;
    this.type = series.type;
    this.unit = series.unit;
    this.#read = read;
  }

  get value(): number {
    return this.#read === undefined ? this.#value : this.#read();
  }

  add(n: number): void {
    assert(n >= 0 || this.type === 'gauge', 'a counter only rises');
    this.#value += n;
  }

  set(n: number): void {
    this.#value = n;
  }
}

/** Hands values to prom-client, which knows how to write them. */
function expose(
  family: Pick<Family, 'name' | 'help' | 'type'>,
  samples: readonly Sample[],
  registry: Registry,
): void {
  const { help, type } = family;
  const name = shown(family.name);
  const labelNames = [...new Set(samples.flatMap(({ labels }) => Object.keys(labels)))];
  const options = { name, help, labelNames, registers: [registry] };
  if (type === 'counter') {
    const counter = new PromCounter(options);
    for (const { labels, value } of samples) counter.inc(labels, value);
  } else {
    const gauge = new PromGauge(options);
    for (const { labels, value } of samples) gauge.set(labels, value);
  }
}

/** A name as Prometheus knows it. */
function shown(name: string): string {
  return name.replaceAll('.', '_');
}

function keyOf(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
