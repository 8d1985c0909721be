/** What `npm start` prints when all listens: what runs where, and what to try. */

export interface Row {
  readonly name: string;
  readonly addresses: readonly string[];
}

export interface Try {
  readonly what: string;
  readonly command: string;
}

/** The table of processes, then the commands to copy, each below what it shows. */
export function screen(rows: readonly Row[], tries: readonly Try[], notes: readonly string[]): string {
  const width = Math.max(...rows.map(({ name }) => name.length));
  const table = rows.map(({ name, addresses }) => `  ${name.padEnd(width)}   ${addresses.join('   ')}`);
  const commands = tries.map(({ what, command }) => `  ${what}\n    ${command}`);
  return [
    '',
    'Standpipe is running, all on this machine:',
    '',
    ...table,
    '',
    'To try:',
    '',
    ...commands,
    '',
    ...notes,
    'Ctrl-C drains and stops everything.',
    '',
  ].join('\n');
}
