/** The suite's rows as text: lines for a terminal, and tables for docs/benchmarks.md. */

import type { Row } from './suite.ts';

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
  if (row.floorMicros !== undefined && row.ratio !== undefined) {
    columns.push(`beside ${row.floorMicros.toFixed(2)}, ${row.ratio.toFixed(2)} times`);
  }
  return [...columns, ...further(row)].join('  ');
}

function processLines({ processes }: Row): string[] {
  return processes.map(
    ({ name, cpuMicros, peakRssBytes }) =>
      `    ${name.padEnd(22)} ${cpuMicros.toFixed(2)} CPU-µs, ${megabytes(peakRssBytes)} at most`,
  );
}

/** Markdown: one line for each row. */
export function markdownTable(rows: readonly Row[]): string {
  const lines = rows.map((row) => [
    [row.scenario, row.detail].filter((text) => text !== '').join(', '),
    row.shape,
    row.inPerSecond.toLocaleString('en'),
    row.outPerSecond.toLocaleString('en'),
    row.lost.toLocaleString('en'),
    row.cpuMicros.toFixed(2),
    row.floorMicros?.toFixed(2) ?? '',
    row.ratio?.toFixed(2) ?? '',
    row.processes
      .map(({ name, cpuMicros, peakRssBytes }) =>
        row.processes.length === 1
          ? megabytes(peakRssBytes)
          : `${name} ${cpuMicros.toFixed(2)}, ${megabytes(peakRssBytes)}`,
      )
      .join('; '),
    further(row).join(', '),
  ]);
  const titles = [
    'scenario',
    'shape',
    'in/s',
    'out/s',
    'lost',
    'CPU-µs',
    'floor',
    'ratio',
    'peak RSS',
    '',
  ];
  const rule = titles.map(() => '---');
  return [titles, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
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
