/**
 * The apps that a local pipeline runs: those of examples/apps.yml, on its ports, and the programs
 * that its user named.
 *
 * They are written to a file that the executors watch, so it can be edited while they run.
 */

import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { appGuid } from '@standpipe/agents';
import { parse, stringify } from 'yaml';

/** An entry of the app file; the executor knows and checks all that may stand there. */
export interface LocalApp {
  readonly name: string;
  readonly command: string;
  readonly guid: string;
  readonly instances?: number;
  readonly directory: string;
  readonly port?: number;
  readonly env?: Readonly<Record<string, string | number>>;
}

export interface LocalAppsOptions {
  readonly statsdPort: number;
  /** Added to every port. */
  readonly portOffset: number;
  /** The user's own programs. */
  readonly apps: readonly { readonly name: string; readonly command: string }[];
}

const EXAMPLES = fileURLToPath(new URL('../../../examples/', import.meta.url));

export async function localApps(options: LocalAppsOptions): Promise<LocalApp[]> {
  const examples = parse(await readFile(`${EXAMPLES}apps.yml`, 'utf8')) as Omit<LocalApp, 'guid'>[];
  return [
    ...examples.map((app) => ({
      ...app,
      guid: appGuid(app.name),
      directory: EXAMPLES,
      ...(app.port === undefined ? {} : { port: app.port + options.portOffset }),
      ...(app.env?.STATSD_PORT === undefined
        ? {}
        : { env: { ...app.env, STATSD_PORT: options.statsdPort } }),
    })),
    ...options.apps.map(({ name, command }) => ({
      name,
      guid: appGuid(name),
      command,
      directory: process.cwd(),
    })),
  ];
}

export async function writeAppsFile(path: string, apps: readonly LocalApp[]): Promise<void> {
  const heading =
    '# Written at each start. While the pipeline runs, edits take effect when saved.\n';
  await writeFile(path, heading + stringify(apps));
}
