/**
 * The originals of one deployment, for one test: started one after the other, each told where the
 * last one said that it listens, and gone when the test ends.
 */

import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TlsFiles } from '@standpipe/plumbing';
import type { ExecutionContext } from 'ava';
import { AgentRecorder } from '../clients/agent.ts';
import type { ServerOptions } from '../clients/ingress.ts';
import { prepareCertificates } from '../pipeline.ts';
import { ManagedProcess, type ProcessSpec } from '../process.ts';
import type { OriginalsOptions } from './specs.ts';

export interface Originals {
  /** What every process is told: where the certificates are, and the agent. */
  readonly options: OriginalsOptions;
  readonly agent: AgentRecorder;
  /** Starts a process and resolves when it has said where it listens. */
  readonly start: (spec: ProcessSpec) => Promise<ManagedProcess>;
  /** How a client with a certificate of its own connects to a process. */
  readonly server: (managed: ManagedProcess, serverName: string) => ServerOptions;
  readonly files: (name: string) => TlsFiles;
  /** What the processes have written to stderr. */
  readonly lines: readonly string[];
}

export async function originals(t: ExecutionContext): Promise<Originals> {
  const certificates = await sharedCertificates();
  const files = (name: string): TlsFiles => ({
    ca: `${certificates}/ca.crt`,
    cert: `${certificates}/${name}.crt`,
    key: `${certificates}/${name}.key`,
  });
  const agent = await AgentRecorder.listen(files('metron'));
  t.teardown(() => agent[Symbol.asyncDispose]());
  const lines: string[] = [];
  return {
    options: { certificates, agent: agent.address },
    agent,
    async start(spec) {
      const managed = new ManagedProcess(spec, ({ name }, line) => lines.push(`${name}: ${line}`));
      t.teardown(() => managed.stop());
      await managed.start();
      return managed;
    },
    server: (managed, serverName) => ({
      address: reachable(managed, 'grpc'),
      tls: files('executor'),
      serverName,
    }),
    files,
    lines,
  };
}

/** Where a listener is reached that is bound to every interface, as the originals' are. */
export function reachable(managed: ManagedProcess, listener: string): string {
  return managed.address(listener).replace(/^(?:0\.0\.0\.0|\[::\])/, '127.0.0.1');
}

/** Keys take long to make: all tests of a file have the same. */
function sharedCertificates(): Promise<string> {
  certificates ??= mkdtemp(join(tmpdir(), 'standpipe-originals-')).then((folder) => {
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    return prepareCertificates(folder);
  });
  return certificates;
}

let certificates: Promise<string> | undefined;
