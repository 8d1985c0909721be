/** The suite's rows as text: lines for a terminal, and tables for docs/benchmarks.md. */

import type { KeptRow, Made } from './figures.ts';
import type { Row } from './row.ts';

const MEGABYTE = 1e6;

/** What a scenario is about, and a line for each of its rows. */
export function terminalLines(about: string, rows: readonly Row[]): string[] {
  const head = `\n${rows[0]?.scenario ?? ''}, ${rows[0]?.shape ?? ''}: ${about}`;
  return [head, ...rows.flatMap((row) => [`  ${terminalLine(row)}`, ...processLines(row)])];
}

function terminalLine(row: Row): string {
  const columns = [
    row.detail.padEnd(18),
    `in ${row.inPerSecond}/s`.padEnd(13),
    `out ${row.outPerSecond}/s`.padEnd(14),
    `lost ${row.lost}`.padEnd(12),
    `${row.cpuMicros.toFixed(2)} CPU-µs`.padEnd(13),
  ];
  if (row.beside !== undefined && row.ratio !== undefined) {
    columns.push(`beside ${row.beside.cpuMicros.toFixed(2)}, ${row.ratio.toFixed(2)} times`);
  }
  if (row.isShort) {
    const other = row.beside === undefined ? '' : `, beside it ${row.beside.inPerSecond}/s`;
    columns.push(`(the load was held up: ${row.askedPerSecond}/s were asked for${other})`);
  }
  return [...columns, ...further(row)].join('  ');
}

function processLines({ processes }: Row): string[] {
  return processes.map(
    ({ name, cpuMicros, peakRssBytes }) =>
      `    ${name.padEnd(22)} ${cpuMicros.toFixed(2)} CPU-µs, ${megabytes(peakRssBytes)} at most`,
  );
}

const TITLES = [
  ...['scenario', 'shape', 'asked/s', 'in/s', 'out/s', 'lost', 'CPU-µs', 'floor', 'ratio'],
  ...['peak RSS', '', 'run'],
];

/** Markdown: one line for each row, and below it the runs that they come from. */
export function markdownTable(rows: readonly KeptRow[]): string {
  const runs = [...new Set(rows.map(({ made }) => runOf(made)))];
  const lines = rows.map((row) => [
    [row.scenario, row.detail].filter((text) => text !== '').join(', '),
    row.shape,
    row.askedPerSecond.toLocaleString('en'),
    `${row.inPerSecond.toLocaleString('en')}${row.isShort ? ' (held up)' : ''}`,
    row.outPerSecond.toLocaleString('en'),
    row.lost.toLocaleString('en'),
    row.cpuMicros.toFixed(2),
    besideCell(row),
    row.ratio?.toFixed(2) ?? '',
    processCell(row),
    further(row).join(', '),
    String(runs.indexOf(runOf(row.made)) + 1),
  ]);
  const table = [TITLES, TITLES.map(() => '---'), ...lines].map(
    (cells) => `| ${cells.join(' | ')} |`,
  );
  return [...table, '', ...runs.map((run, index) => `${index + 1}. ${run}`)].join('\n');
}

/** Where figures come from, as a sentence. */
export function runOf({ commit, command, note }: Made): string {
  const where = note === undefined ? '' : `, ${note}`;
  return `Of commit \`${commit}\`, by \`${command}\`${where}.`;
}

function besideCell({ beside }: Row): string {
  if (beside === undefined) return '';
  const lost = beside.lost === 0 ? '' : ` (lost ${beside.lost.toLocaleString('en')})`;
  return `${beside.cpuMicros.toFixed(2)}${lost}`;
}

function processCell({ processes }: Row): string {
  return processes
    .map(({ name, cpuMicros, peakRssBytes }) =>
      processes.length === 1
        ? megabytes(peakRssBytes)
        : `${name} ${cpuMicros.toFixed(2)}, ${megabytes(peakRssBytes)}`,
    )
    .join('; ');
}

function further(row: Row): string[] {
  return Object.entries(row.further).map(([name, value]) => `${name} ${rounded(value)}`);
}

function rounded(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / MEGABYTE)} MB`;
}
