/**
 * The apps that a local pipeline runs: two examples, and the programs that its user named.
 *
 * They are written to a file that the executors watch, so it can be edited while they run.
 */

import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { appGuid } from '@standpipe/agents';
import { stringify } from 'yaml';

export interface LocalApp {
  readonly name: string;
  readonly command: string;
  readonly guid: string;
  readonly instances: number;
  readonly directory: string;
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export interface LocalAppsOptions {
  readonly statsdPort: number;
  /** The shop's first instance listens here, the second one port higher. */
  readonly shopPort: number;
  readonly apps: readonly { readonly name: string; readonly command: string }[];
}

export function localApps({ statsdPort, shopPort, apps }: LocalAppsOptions): LocalApp[] {
  const examples = fileURLToPath(new URL('../../../examples', import.meta.url));
  return [
    {
      name: 'shop',
      guid: appGuid('shop'),
      command: `exec ${shellQuoted(process.execPath)} shop.mjs`,
      instances: 2,
      directory: examples,
      port: shopPort,
      env: { STATSD_PORT: String(statsdPort) },
    },
    {
      name: 'clock',
      guid: appGuid('clock'),
      command: 'exec sh clock.sh',
      instances: 1,
      directory: examples,
    },
    ...apps.map(({ name, command }) => ({
      name,
      guid: appGuid(name),
      command,
      instances: 1,
      directory: process.cwd(),
    })),
  ];
}

export async function writeAppsFile(path: string, apps: readonly LocalApp[]): Promise<void> {
  const heading =
    '# Written at each start. While the pipeline runs, edits take effect when saved.\n';
  await writeFile(path, heading + stringify(apps));
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
