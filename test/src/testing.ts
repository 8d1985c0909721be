/** A pipeline for one test: on free ports, in a folder of its own, gone when the test ends. */

import { rmSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TlsFiles } from '@standpipe/plumbing';
import type { ExecutionContext } from 'ava';
import { stringify } from 'yaml';
import type { ServerOptions } from './clients/ingress.ts';
import { Pipeline, prepareCertificates } from './pipeline.ts';
import { freePorts } from './ports.ts';
import { listenersOf, type TopologyOptions } from './topology.ts';

export interface TestPipelineOptions {
  /** Dopplers in each zone. */
  readonly zones?: Readonly<Record<string, number>>;
  /** The content of the app file: a list of apps. */
  readonly apps?: readonly object[];
  /** The content of the bindings file: a list of bindings. */
  readonly bindings?: readonly object[];
  /** The content of the platform's file: with it, the public doors speak TLS and want tokens. */
  readonly platform?: object;
  readonly env?: TopologyOptions['env'];
  readonly envOf?: TopologyOptions['envOf'];
}

export interface TestPipeline {
  readonly pipeline: Pipeline;
  /** `http://HOST:PORT`, or `https://` with a platform, of the front door. */
  readonly front: string;
  /** `http://HOST:PORT` of the gateway. */
  readonly gateway: string;
  readonly appsFile: string;
  readonly bindingsFile: string;
  /** How a client of these processes is told to connect. */
  readonly server: (process: string, serverName: string) => ServerOptions;
  /** What the processes have written to stderr. */
  readonly lines: readonly string[];
}

export async function testPipeline(
  t: ExecutionContext,
  options: TestPipelineOptions = {},
): Promise<TestPipeline> {
  const zones = options.zones ?? { az1: 1, az2: 1 };
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-e2e-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await cp(await authorityFolder(), folder, { recursive: true });
  const appsFile = join(folder, 'apps.yml');
  const bindingsFile = join(folder, 'bindings.yml');
  await writeFile(appsFile, stringify(options.apps ?? []));
  await writeFile(bindingsFile, stringify(options.bindings ?? []));
  const platformFile = join(folder, 'platform.yml');
  if (options.platform) await writeFile(platformFile, stringify(options.platform));

  const lines: string[] = [];
  const pipeline = await Pipeline.start({
    zones,
    folder,
    portOf: await freePorts(listenersOf(zones)),
    bindingsFile,
    ...(options.apps ? { appsFile } : {}),
    ...(options.platform ? { secure: { platformFile } } : {}),
    env: { METRICS_INTERVAL: '500ms', ...options.env },
    ...(options.envOf ? { envOf: options.envOf } : {}),
    onLine: ({ name }, line) => lines.push(`${name}: ${line}`),
  });
  t.teardown(() => pipeline[Symbol.asyncDispose]());

  return {
    pipeline,
    front: `${options.platform ? 'https' : 'http'}://${pipeline.process('traffic-controller').address('ws')}`,
    gateway: `http://${pipeline.process('rlp-gateway').address('http')}`,
    appsFile,
    bindingsFile,
    server: (process, serverName) => ({
      address: pipeline.process(process).address('grpc'),
      tls: clientTls(pipeline.certificates),
      serverName,
    }),
    lines,
  };
}

/** Keys take long to make: all pipelines of one test file have the same. */
function authorityFolder(): Promise<string> {
  authority ??= mkdtemp(join(tmpdir(), 'standpipe-authority-')).then(async (folder) => {
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    await prepareCertificates(folder);
    return folder;
  });
  return authority;
}

let authority: Promise<string> | undefined;

/** A certificate of the pipeline's authority, as any client has one. */
function clientTls(certificates: string): TlsFiles {
  return {
    ca: `${certificates}/ca.crt`,
    cert: `${certificates}/executor.crt`,
    key: `${certificates}/executor.key`,
  };
}
