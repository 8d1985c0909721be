/**
 * `npm start`: the whole pipeline on this machine, with real programs feeding it.
 *
 *     executors ─▶ the apps: shop ×2, clock, yours
 *     the processes' own stderr ─▶ logs of `doppler`, `metron`, …
 *     shop ─▶ syslog adapter ─▶ rsyslogd, when it is installed
 *
 * What it generates, and what the log caches keep, stands in `.standpipe/`, or in `.standpipe-OFFSET/` for a second pipeline.
 */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLogger, readTls, run, type Service, systemClock } from '@standpipe/plumbing';
import { stringify } from 'yaml';
import { Pipeline, prepareCertificates } from './pipeline.ts';
import { localPorts, type PortOf, takenPorts } from './ports.ts';
import { hasRsyslog, Rsyslog } from './rsyslog.ts';
import { type LocalApp, localApps, writeAppsFile } from './start/apps.ts';
import { Complaints } from './start/complaints.ts';
import { ComponentLogs } from './start/component-logs.ts';
import { drainingLines } from './start/draining.ts';
import { keepRunning } from './start/keep.ts';
import { type StartOptions, startOptions, USAGE, UsageError } from './start/options.ts';
import { writePlatformFile } from './start/platform-file.ts';
import { watchRates } from './start/rates.ts';
import { screen } from './start/screen.ts';
import { listenersOf } from './topology.ts';

const ZONES = { az1: 1, az2: 1 };
/** What closes beside the pipeline is given this long. */
const REST_LIMIT_MS = 10_000;

await main();

async function main(): Promise<void> {
  const options = readOptions();
  if (options) await run((stop) => startLocal(options, stop));
}

function readOptions(): StartOptions | undefined {
  try {
    const options = startOptions(process.argv.slice(2), process.env);
    if (!options.help) return options;
    process.stdout.write(USAGE);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${USAGE}`);
    process.exitCode = 1;
  }
  return undefined;
}

async function startLocal(options: StartOptions, stop: AbortSignal): Promise<Service> {
  process.stdout.write('Starting the pipeline.\n');
  const opened: AsyncDisposable[] = [];
  const all = { [Symbol.asyncDispose]: () => closeInReverse(opened) };
  try {
    await open(options, opened, stop);
    const pipeline = opened.find((one) => one instanceof Pipeline);
    return { ...all, drainLimitMs: REST_LIMIT_MS + (pipeline?.stopLimitMs ?? 0) };
  } catch (error) {
    await all[Symbol.asyncDispose]();
    throw error;
  }
}

/** Opens everything and notes it in `opened`, so that what was opened before a failure is closed. */
async function open(
  options: StartOptions,
  opened: AsyncDisposable[],
  stop: AbortSignal,
): Promise<void> {
  const portOf = localPorts(options.portOffset);
  await checkPorts(portOf);
  const folder = await stateFolder(options.portOffset);
  const apps = await localApps({ ...options, statsdPort: portOf('statsd-injector') });
  const appsFile = join(folder, 'apps.yml');
  await writeAppsFile(appsFile, apps);

  const rsyslog = await startRsyslog(folder, portOf);
  if (rsyslog) opened.push(rsyslog);
  const bindingsFile = await writeBindings(folder, apps, rsyslog);
  const platformFile = join(folder, 'platform.yml');
  if (options.secure) await writePlatformFile(platformFile, options.apps);
  const logs = await componentLogs(folder, portOf);
  opened.push(logs);
  const complaints = new Complaints({ say, now: () => systemClock.now() });
  let isUp = false; // Before that, one cannot be reached by another, and that is no news.
  const pipeline = await Pipeline.start({
    zones: ZONES,
    folder,
    portOf,
    appsFile,
    bindingsFile,
    dataFolder: folder,
    ...(options.secure ? { secure: { platformFile } } : {}),
    onLine: (spec, line) => {
      logs.write(spec, line);
      // At the end most is no news; what drains did not take is.
      if (isUp && (!stop.aborted || line.includes('"drain_url"'))) {
        complaints.hear(spec.sourceId, line);
      }
    },
    onDraining: (processes) => drainingLines(processes).forEach(say),
  });
  // Their agent ends with the pipeline, so the logs are closed before it.
  opened.splice(opened.indexOf(logs), 0, pipeline);
  if (stop.aborted) return;
  process.stdout.write(
    screen({ pipeline, portOf, apps, appsFile, bindingsFile, rsyslog, secure: options.secure }),
  );
  isUp = true;
  opened.push(watchRates(pipeline.processes, process.stdout));
  opened.push(keepRunning(pipeline.processes, say));
}

/** Nothing may be written or ended before this: another pipeline could be using it. */
async function checkPorts(portOf: PortOf): Promise<void> {
  const taken = await takenPorts(listenersOf(ZONES), portOf);
  if (taken.length === 0) return;
  throw new Error(
    `Something else listens on 127.0.0.1, port ${taken.join(', ')}: another pipeline, perhaps.\n` +
      'PORT_OFFSET=1000 npm start runs a second one beside it.',
  );
}

/** Writes a line where the rates are; they move down. */
function say(line: string): void {
  process.stdout.write(process.stdout.isTTY ? `\r\x1b[K${line}\n` : `${line}\n`);
}

async function closeInReverse(opened: AsyncDisposable[]): Promise<void> {
  if (opened.length > 0) process.stdout.write('\nDraining and stopping.\n');
  for (let last = opened.pop(); last; last = opened.pop()) await last[Symbol.asyncDispose]();
}

async function stateFolder(portOffset: number): Promise<string> {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const folder = join(root, portOffset === 0 ? '.standpipe' : `.standpipe-${portOffset}`);
  await mkdir(folder, { recursive: true });
  return folder;
}

async function startRsyslog(folder: string, portOf: PortOf): Promise<Rsyslog | undefined> {
  if (!hasRsyslog()) return undefined;
  return Rsyslog.start({ folder: join(folder, 'rsyslog'), port: portOf('rsyslog') });
}

/** The shop's drain, in the form in which Cloud Controller tells of drains. */
async function writeBindings(
  folder: string,
  [shop]: readonly LocalApp[],
  rsyslog: Rsyslog | undefined,
): Promise<string> {
  const path = join(folder, 'bindings.yml');
  const hostname = 'local.local.shop';
  const bindings =
    rsyslog && shop
      ? [
          {
            url: `syslog://127.0.0.1:${rsyslog.port}`,
            credentials: [{ apps: [{ hostname, app_id: shop.guid }] }],
          },
        ]
      : [];
  await writeFile(path, stringify(bindings));
  return path;
}

async function componentLogs(folder: string, portOf: PortOf): Promise<ComponentLogs> {
  const certificates = await prepareCertificates(folder);
  return new ComponentLogs({
    address: `127.0.0.1:${portOf('metron az1')}`,
    tls: readTls({
      ca: `${certificates}/ca.crt`,
      cert: `${certificates}/executor.crt`,
      key: `${certificates}/executor.key`,
    }),
    log: createLogger('start', { level: 'error' }), // That an agent is not there yet is no news.
  });
}
