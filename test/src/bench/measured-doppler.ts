/**
 * A Doppler process of its own that a benchmark loads, and what the kernel says that it used: the
 * load's and the readers' own work is not in it.
 */

import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TlsFiles } from '@standpipe/plumbing';
import { freePorts } from '../ports.ts';
import { ManagedProcess } from '../process.ts';
import { listenersOf, topology } from '../topology.ts';
import type { Report, Worker } from './workers.ts';

const ZONES = { az1: 1 };
const SETTLE_LIMIT_MS = 5000;
/** Linux counts CPU time in hundredths of a second. */
const TICKS_PER_SECOND = 100;

export async function startDoppler(certificates: string): Promise<ManagedProcess> {
  const portOf = await freePorts(listenersOf(ZONES));
  const spec = topology({
    zones: ZONES,
    portOf,
    certificates,
    env: { AGENT_GRPC_ADDRESS: '' },
  }).find(({ sourceId }) => sourceId === 'doppler');
  if (!spec) throw new Error('the topology has no Doppler');
  const doppler = new ManagedProcess(spec, () => {});
  await doppler.start();
  return doppler;
}

export function tlsFiles(certificates: string, name: string): TlsFiles {
  return {
    ca: `${certificates}/ca.crt`,
    cert: `${certificates}/${name}.crt`,
    key: `${certificates}/${name}.key`,
  };
}

/** Waits until the reader's count stands still, or its time is up. */
export async function settled(reader: Worker<object>): Promise<void> {
  const until = performance.now() + SETTLE_LIMIT_MS;
  let last: Report = { envelopes: -1 };
  while (performance.now() < until) {
    const report = await reader.ask({});
    if (report.envelopes === last.envelopes) return;
    last = report;
    await sleep(200);
  }
}

/** User and system time of a process so far. */
export async function cpuSeconds(pid: number | undefined): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export async function rssOf(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}
