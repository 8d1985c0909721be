/**
 * Log lines as a counter: `log_lines_total`.
 *
 * A source gives how many lines there were in each second. Here they become a running total, as if
 * it had been scraped: a sample wherever there are lines, one at least every fifteen seconds also
 * when there are none, and a zero in the second before the first line, so that `increase` counts it.
 * The total is of the lines that the cache holds; what it lost before them is not in it, and only
 * differences are worth anything.
 */

import { LABELS_WORK } from './in-turns.ts';
import { SampleList } from './sample-list.ts';
import type { Pace, Selection, Series } from './series.ts';

export const LOG_LINES = 'log_lines_total';
/** The label that says OUT or ERR. */
export const LOG_TYPE = 'log_type';

const FILL_MS = 15_000;
const SECOND_MS = 1000;

/** Makes a running total of a series of logs. */
export async function cumulated(series: Series, selection: Selection, pace: Pace): Promise<Series> {
  const { labels, type, times, values } = series;
  const endMs = Math.min(selection.endMs, Date.now());
  const total = new SampleList(labels, type);
  const add = (time: number, value: number): void => {
    if (time < selection.startMs || time > endMs) return;
    pace.hold(1);
    total.push(time, value);
  };

  const first = times[0] ?? 0;
  let sum = 0;
  let before = Math.max(selection.startMs - 1, first - SECOND_MS - 1);
  if (times.length > 0 && first > selection.startMs) add(first - SECOND_MS, 0);
  for (let index = 0; index <= times.length; index += 1) {
    const time = Math.min(times[index] ?? Number.POSITIVE_INFINITY, endMs + 1);
    // Between lines the total stays what it is: for as long as there are none, which may be years.
    let fill = (Math.floor(before / FILL_MS) + 1) * FILL_MS;
    if (index > 0) {
      for (; fill < time; fill += FILL_MS) {
        add(fill, sum);
        if (pace.isDue(1)) await pace.pause();
      }
    }
    if (time > endMs) break;
    sum += values[index] ?? 0;
    add(time, sum);
    before = Math.max(before, time);
    if (pace.isDue(1)) await pace.pause();
  }
  pace.hold(-times.length);
  if (pace.isDue(LABELS_WORK)) await pace.pause();
  return total.series();
}
