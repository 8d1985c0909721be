/**
 * Log lines as Loggregator v107.0.21 writes them, for those who read its processes' stderr:
 *
 *     USE_RFC339=true    2026-11-28T04:28:03.123000000Z listening {"port":8082}
 *     USE_RFC339=false   2026/11/28 05:28:03.123000 listening {"port":8082}    in local time
 *
 * The text comes first, as there, and our facts follow it as JSON, so that a line stays one line.
 * A clock of ours tells milliseconds; the digits past them are zeros.
 */

/** Which form lines have: our own, or one of the original's. */
export type LogFormat = 'json' | 'rfc3339' | 'local';

/** What pino puts in each line of ours. */
interface Line {
  readonly time: string;
  readonly level: number;
  readonly name: string;
  readonly msg: string;
  readonly [fact: string]: unknown;
}

/** The form that a setting asks for: `true` or `1` the one in UTC, anything else the local one. */
export function logFormat(useRfc3339: string | undefined): LogFormat {
  const asked = useRfc3339?.trim() ?? '';
  if (asked === '') return 'json';
  return asked === 'true' || asked === '1' ? 'rfc3339' : 'local';
}

/** The text of a JSON line of ours. */
export function textLine(json: string, format: 'rfc3339' | 'local'): string {
  const { time, level: _level, name: _name, msg, ...facts } = JSON.parse(json) as Line; // As pino wrote it.
  const date = new Date(time);
  const stamp = format === 'rfc3339' ? `${time.slice(0, -1)}000000Z` : localTime(date);
  const told = Object.keys(facts).length === 0 ? '' : ` ${JSON.stringify(facts)}`;
  return `${stamp} ${msg}${told}\n`;
}

function localTime(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}/${two(date.getMonth() + 1)}/${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${time}.${String(date.getMilliseconds()).padStart(3, '0')}000`;
}
