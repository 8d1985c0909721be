/** For tests: the samples that the oracle and our own querier are given, from a seed. */

import { randomFrom } from '@standpipe/protos/testing';
import type { OracleSeries } from './prometheus.ts';

export const START = 1_700_000_000;
export const SECONDS = 1200;

/** Counters that are reset, gauges, gaps, histograms and odd numbers, from a seed. */
export function oracleSeries(seed: number): OracleSeries[] {
  const random = randomFrom(seed);
  const series: OracleSeries[] = [];
  const add = (
    name: string,
    labels: Record<string, string>,
    next: (second: number) => number | undefined,
    every = 15,
  ): void => {
    const samples: [number, number][] = [];
    const first = START + random(every);
    for (let second = first; second < START + SECONDS; second += every) {
      const value = next(second);
      if (value !== undefined) samples.push([second, value]);
    }
    series.push({ name, labels: { source_id: 'app', ...labels }, samples });
  };
  for (const job of ['a', 'ab', 'c']) {
    for (const instance of ['0', '1']) {
      const labels = {
        job,
        instance_id: instance,
        ...(job === 'c' ? {} : { zone: `z${instance}` }),
      };
      let total = random(1000);
      add('requests', labels, () => {
        total = random(40) === 0 ? random(10) : total + random(100);
        return total;
      });
      add('memory', labels, () => random(1e6) / 1e4, 10);
      add('load', labels, () => random(1e6) / 1e6, 30);
      add('gappy', labels, (second) => (second % 400 < 150 ? random(50) : undefined), 20);
      const odd = [1, Number.NaN, Number.POSITIVE_INFINITY, 2, -3, Number.NEGATIVE_INFINITY];
      const own = odd[series.length % odd.length] ?? 0;
      add('odd', labels, () => (random(3) === 0 ? (odd[random(odd.length)] ?? 0) : own));
    }
    const counts = [0, 0, 0, 0];
    for (const [index, le] of ['0.1', '0.5', '2', '+Inf'].entries()) {
      add('latency_bucket', { job, le }, () => {
        counts[index] = (counts[index] ?? 0) + random(10) * (index + 1);
        return counts[index];
      });
    }
  }
  for (const job of ['a', 'ab', 'c']) add('team', { job, team: `t${job}` }, () => 1);
  for (const instance_id of ['0', '1']) {
    add('negative', { instance_id }, () => -random(1e6) / 7e3);
    add('huge', { instance_id }, () => 1e308 * (1 + random(7) / 10));
    add('still', { instance_id }, () => 7);
  }
  for (const [name, counts] of Object.entries(HISTOGRAMS)) {
    for (const [le, count] of Object.entries(counts)) {
      let total = 0;
      add(name, { le }, () => {
        total += count;
        return total;
      });
    }
  }
  return series;
}

/** How much each bucket grows by, of histograms with bounds that are odd in some way. */
const HISTOGRAMS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  temperature_bucket: { '-10': 1, '-5': 3, '0': 4, '+5': 6, '+Inf': 7 },
  endless_bucket: { '1': 1, '2': 2 },
  twice_bucket: { '1': 1, '1.0': 2, '2': 4, inf: 5 },
  falling_bucket: { '1': 4, '2': 3, '5': 5, '+Inf': 2 },
  holed_bucket: { '1': 1, '2': Number.NaN, '3': 5, '+Inf': 6 },
  written_bucket: {
    '0x1p1': 1,
    '0x8': 9,
    '0x.8p4': 3,
    '1_0': 4,
    '1__1': 9,
    '1e2': 5,
    '1e400': 9,
    '+nan': 9,
    ' 7': 9,
    '': 9,
    Infinity: 6,
  },
};
