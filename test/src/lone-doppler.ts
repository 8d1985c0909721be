/** One Doppler with its cache and nothing around it, for a test; gone when the test ends. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureCertificates } from '@standpipe/plumbing/authority';
import type { ExecutionContext } from 'ava';
import { IngressCaller } from './clients/ingress.ts';
import { freePorts } from './ports.ts';
import { ManagedProcess } from './process.ts';
import { listenersOf, topology } from './topology.ts';

const ZONES = { az1: 1 };

export interface LoneDoppler {
  readonly doppler: ManagedProcess;
  /** Where it keeps its cache, if it does. */
  readonly folder: string;
  /** The folder with ca.crt, and the certificates and keys of `doppler` and `executor`. */
  readonly certificates: string;
  /** What it has written to stderr. */
  readonly lines: readonly string[];
  /** Who sends to it. */
  caller(): IngressCaller;
}

export async function startLoneDoppler(
  t: ExecutionContext,
  options: { readonly keeps?: boolean; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<LoneDoppler> {
  const root = await mkdtemp(join(tmpdir(), 'standpipe-lone-'));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  const certificates = join(root, 'certificates');
  await ensureCertificates(certificates, [
    { name: 'doppler', dns: ['log-cache'] },
    { name: 'executor', dns: [] },
  ]);
  const folder = join(root, 'data');
  const keeping = options.keeps ? { LOG_CACHE_DATA_DIR: folder } : {};
  const spec = topology({
    zones: ZONES,
    portOf: await freePorts(listenersOf(ZONES)),
    certificates,
    env: { AGENT_GRPC_ADDRESS: '', ...keeping, ...options.env },
  }).find(({ sourceId }) => sourceId === 'doppler');
  if (!spec) throw new Error('the topology has no Doppler');
  const lines: string[] = [];
  const doppler = new ManagedProcess(spec, (_, line) => lines.push(line));
  t.teardown(() => doppler.stop());
  await doppler.start();
  const path = (name: string): string => join(certificates, name);
  const tls = { ca: path('ca.crt'), cert: path('executor.crt'), key: path('executor.key') };
  return {
    doppler,
    folder,
    certificates,
    lines,
    caller: () =>
      new IngressCaller({ address: doppler.address('grpc'), tls, serverName: 'doppler' }),
  };
}
