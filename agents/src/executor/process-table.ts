/**
 * Which processes there are, whose they are, and what they use.
 *
 * On Linux this reads /proc; elsewhere it asks ps(1), which knows neither sessions nor the time of
 * children that have ended, so that an instance that runs many short programs seems to use less
 * processor time there than it does. A process that ends while the table is read is left out.
 *
 * Reading costs about 20 µs a process, and is done once for all instances of a cell.
 */

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { endianness } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** So many processes are read before others have their turn: about a millisecond's work. */
const READS_PER_TURN = 50;
const PS_OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Processor time used, that of children that have ended and been waited for included. */
  readonly cpuMs: number;
  /** Memory that it holds in RAM. */
  readonly residentBytes: number;
}

/** All processes that we may see. */
export async function readProcessTable(): Promise<readonly ProcessEntry[]> {
  return process.platform === 'linux' ? readProc(() => true) : readPs();
}

/** Processes started with this variable in their environment; none where there is no /proc. */
export async function processesWithVariable(
  name: string,
  value: string,
): Promise<readonly ProcessEntry[]> {
  if (process.platform !== 'linux') return [];
  const wanted = Buffer.from(`${name}=${value}\0`);
  return readProc((pid) => readIfThere(`/proc/${pid}/environ`)?.includes(wanted) ?? false);
}

/** The processes in /proc that `isWanted`. */
async function readProc(isWanted: (pid: number) => boolean): Promise<readonly ProcessEntry[]> {
  const units = parseAuxiliaryVector(readIfThere('/proc/self/auxv'));
  const entries: ProcessEntry[] = [];
  for (const [index, name] of (await readdir('/proc')).entries()) {
    if (index % READS_PER_TURN === 0) await nextTurn();
    const pid = /^\d+$/.test(name) ? Number(name) : 0;
    if (pid === 0 || !isWanted(pid)) continue;
    const stat = readIfThere(`/proc/${pid}/stat`);
    const entry = stat && parseStat(stat.toString('latin1'), units);
    if (entry) entries.push(entry);
  }
  return entries;
}

/** All processes as ps(1) tells them, with the options that all of its kinds share. */
export async function readPs(): Promise<readonly ProcessEntry[]> {
  const columns = 'pid=,ppid=,pgid=,rss=,time=';
  const { stdout } = await run('ps', ['-A', '-o', columns], { maxBuffer: PS_OUTPUT_BYTES_MAX });
  return stdout.split('\n').flatMap((line) => parsePsLine(line) ?? []);
}

/**
 * All processes of a program: those in the group or the session of its first process, and those
 * that descend from any of them.
 */
export function familyOf(
  table: readonly ProcessEntry[],
  leader: number,
): ReadonlySet<ProcessEntry> {
  const children = new Map<number, ProcessEntry[]>();
  for (const entry of table) {
    const siblings = children.get(entry.parent);
    if (siblings) siblings.push(entry);
    else children.set(entry.parent, [entry]);
  }

  const family = new Set(
    table.filter(({ group, session }) => group === leader || session === leader),
  );
  // The iteration of a set goes on to what is added to it meanwhile.
  for (const { pid } of family) for (const child of children.get(pid) ?? []) family.add(child);
  return family;
}

/** What the kernel counts in. */
export interface KernelUnits {
  readonly pageBytes: number;
  readonly ticksPerSecond: number;
}

const USUAL_UNITS: KernelUnits = { pageBytes: 4096, ticksPerSecond: 100 };
const AT_PAGESZ = 6;
const AT_CLKTCK = 17;

/** Reads the kernel's units from /proc/self/auxv: pairs of 64-bit words, a type and its value. */
export function parseAuxiliaryVector(bytes: Buffer | undefined): KernelUnits {
  const values = new Map<number, number>();
  if (bytes && is64Bit()) {
    for (let at = 0; at + 16 <= bytes.length; at += 16) {
      values.set(Number(bytes.readBigUInt64LE(at)), Number(bytes.readBigUInt64LE(at + 8)));
    }
  }
  return {
    pageBytes: values.get(AT_PAGESZ) ?? USUAL_UNITS.pageBytes,
    ticksPerSecond: values.get(AT_CLKTCK) ?? USUAL_UNITS.ticksPerSecond,
  };
}

/** A line of /proc/PID/stat. The second field, in brackets, is a name and may hold anything. */
export function parseStat(line: string, units: KernelUnits): ProcessEntry | undefined {
  const rest = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(rest[number - 3]);
  const ticks = field(14) + field(15) + field(16) + field(17);
  const entry = {
    pid: Number.parseInt(line, 10),
    parent: field(4),
    group: field(5),
    session: field(6),
    cpuMs: (ticks * 1000) / units.ticksPerSecond,
    residentBytes: field(24) * units.pageBytes,
  };
  return Object.values(entry).every(Number.isFinite) ? entry : undefined;
}

/** A line of `ps`, whose times are `1-02:03:04` or, on macOS, `123:45.67`. */
export function parsePsLine(line: string): ProcessEntry | undefined {
  const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(?:(\d+)-)?([\d:]+(?:[.,]\d+)?)\s*$/.exec(
    line,
  );
  if (!match) return undefined;
  const [pid = 0, parent = 0, group = 0, residentKiB = 0, days = 0] = match
    .slice(1, 6)
    .map((digits) => Number(digits ?? 0));
  const clock = (match[6] ?? '').replace(',', '.').split(':');
  const seconds = clock.reduce((total, part) => total * 60 + Number(part), 0);
  return {
    pid,
    parent,
    group,
    session: group,
    cpuMs: (days * 86_400 + seconds) * 1000,
    residentBytes: residentKiB * 1024,
  };
}

function is64Bit(): boolean {
  return endianness() === 'LE' && !['arm', 'ia32', 'mipsel'].includes(process.arch);
}

/**
 * A file's bytes; undefined if the process it speaks of has ended, or is somebody else's. What is
 * in /proc is in memory: to have it read by another thread would take ten times as long.
 */
function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException; // What readFileSync throws.
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(code ?? '')) return undefined;
    throw error;
  }
}
