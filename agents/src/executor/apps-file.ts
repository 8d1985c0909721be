/**
 * The file that says which apps are to run. It is YAML (so it may be JSON), a list with an entry
 * for each app; only `name` and `command` must be given:
 *
 *     - name: shop
 *       command: node shop.mjs          # run by /bin/sh
 *       instances: 2                    # default 1
 *       directory: shop                 # default: the folder of this file
 *       env: { STATSD_PORT: 8125 }
 *       port: 8095                      # PORT of instance 0; default: any free port
 *       guid: …                         # the source id; default: made from the name
 *       process_type: web               # shows in source_type as APP/PROC/WEB
 *       organization_name, organization_id, space_name, space_id: …
 *       memory_quota: 256M
 *       disk_quota: 1G
 *       log_rate_limit: 64K             # bytes a second and instance; default: none
 *
 * All mistakes are told at once. Instances are not held to their quotas, which are only reported.
 */

import { relative, resolve } from 'node:path';
import { guidOf } from '@standpipe/plumbing';
import { parseDocument } from 'yaml';
import { type App, appGuid } from './app.ts';
import { Fields, isRecord } from './fields.ts';

const APPS_MAX = 200;
const INSTANCES_MAX = 100;
const MISTAKES_MAX = 50;
const MEMORY_QUOTA_BYTES = 256 * 1024 * 1024;
const DISK_QUOTA_BYTES = 1024 * 1024 * 1024;

const NAME = {
  pattern: /^[^\p{Cc}\p{Cs}]{1,100}$/u,
  rule: 'must be 1 to 100 characters with no control characters among them',
};
const GUID = {
  pattern: /^[!-~]{1,100}$/,
  rule: 'must be 1 to 100 printable ASCII characters without blanks',
};
/** The limit is Linux's for one argument of a program. */
const COMMAND = {
  pattern: /^(?=\s*\S)[^\0]{1,100000}$/,
  rule: 'must be a line for /bin/sh of at most 100000 characters',
};

export class AppsError extends Error {
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(`bad apps file:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`);
    this.name = 'AppsError';
    this.mistakes = mistakes;
  }
}

/** The apps that the text describes; paths in it start at `folder`. Throws an AppsError. */
export function parseApps(text: string, folder: string): readonly App[] {
  const mistakes: string[] = [];
  const entries = readEntries(text, mistakes);
  const apps = entries.map((entry, index) => readApp(entry, { index, folder, mistakes }));
  noteRepeated(apps, mistakes);
  if (mistakes.length > MISTAKES_MAX) {
    const more = mistakes.length - MISTAKES_MAX;
    mistakes.splice(MISTAKES_MAX, more, `and ${more} more`);
  }
  if (mistakes.length > 0) throw new AppsError(mistakes);
  return apps;
}

function readEntries(text: string, mistakes: string[]): readonly unknown[] {
  const document = parseDocument(text);
  for (const error of document.errors) mistakes.push(error.message.replaceAll(/\s+/g, ' ').trim());
  if (mistakes.length > 0) return [];

  const list = contentOf(document);
  if (!Array.isArray(list)) {
    mistakes.push(
      'it must be a list of apps, each beginning with `- name: `; no apps at all is []',
    );
    return [];
  }
  if (list.length > APPS_MAX) mistakes.push(`it has ${list.length} apps; the limit is ${APPS_MAX}`);
  return list.slice(0, APPS_MAX);
}

/** What the document holds; an Error where its aliases would multiply without end. */
function contentOf(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS();
  } catch (error) {
    return error; // No list, and so refused.
  }
}

interface Place {
  readonly index: number;
  readonly folder: string;
  readonly mistakes: string[];
}

function readApp(entry: unknown, { index, folder, mistakes }: Place): App {
  const values = isRecord(entry) ? entry : {};
  const name = typeof values.name === 'string' ? ` (${values.name.slice(0, 100)})` : '';
  const place = `apps[${index}]${name}`;
  if (values !== entry) mistakes.push(`${place}: it must be a map with name and command`);

  const fields = new Fields(values, place, values === entry ? mistakes : []);
  const app = readFields(fields, folder);
  fields.done();
  return app;
}

/** Whether a folder is another, or has it somewhere inside. */
function holds(outer: string, inner: string): boolean {
  return !/^\.\.(\/|$)/.test(relative(outer, inner));
}

function readFields(fields: Fields, folder: string): App {
  const name = fields.text('name', NAME);
  const organizationName = fields.text('organization_name', { ...NAME, fallback: 'local' });
  const spaceName = fields.text('space_name', { ...NAME, fallback: 'local' });
  const directory = fields.text('directory', { ...COMMAND, fallback: '', rule: 'must be a path' });
  return {
    name,
    guid: fields.text('guid', { ...GUID, fallback: appGuid(name) }),
    command: fields.text('command', COMMAND),
    instances: fields.count('instances', { fallback: 1, min: 0, max: INSTANCES_MAX }),
    directory: resolve(folder, directory),
    ownsDirectory: directory !== '' && !holds(resolve(folder, directory), folder),
    port: fields.count('port', { fallback: undefined, min: 1, max: 65_535 - INSTANCES_MAX }),
    env: fields.texts('env', {
      pattern: /^[A-Za-z_][A-Za-z0-9_.-]*$/,
      rule: 'must have names of letters, digits and underscores',
    }),
    processType: fields.text('process_type', {
      fallback: 'web',
      pattern: /^[A-Za-z0-9_-]{1,64}$/,
      rule: 'must be 1 to 64 letters, digits, dashes and underscores',
    }),
    organizationName,
    organizationId: fields.text('organization_id', {
      ...GUID,
      fallback: guidOf(`organization/${organizationName}`),
    }),
    spaceName,
    spaceId: fields.text('space_id', {
      ...GUID,
      fallback: guidOf(`space/${organizationName}/${spaceName}`),
    }),
    memoryQuotaBytes: fields.bytes('memory_quota', { fallback: MEMORY_QUOTA_BYTES }),
    diskQuotaBytes: fields.bytes('disk_quota', { fallback: DISK_QUOTA_BYTES }),
    logRateLimitBytes: fields.bytes('log_rate_limit', { fallback: undefined }),
  };
}

function noteRepeated(apps: readonly App[], mistakes: string[]): void {
  const guids = new Map<string, number>();
  for (const [index, { name, guid }] of apps.entries()) {
    const other = guids.get(guid);
    if (name === '') continue; // Already a mistake.
    if (other === undefined) guids.set(guid, index);
    else mistakes.push(`apps[${index}] (${name}): it has the name or guid of apps[${other}]`);
  }
}
