/**
 * Which app is drained where: the text of a bindings file, YAML or JSON.
 *
 * It has the shape of Cloud Controller's answer, with or without `results` around it:
 *
 *     - url: syslog://logs.example.com:514?drain-type=all
 *       credentials:
 *         - cert: PEM              # these three may be left out
 *           key: PEM
 *           ca: PEM
 *           apps:
 *             - hostname: org.space.app
 *               app_id: GUID
 *
 * or, for files that people write, one app at a time; both may stand in one file:
 *
 *     - url: syslog://logs.example.com:514
 *       app_id: GUID
 *       hostname: org.space.app
 *
 * A file that has another shape is refused whole. A drain whose URL nobody could use is refused
 * alone. Of an app's good drains, in the byte order of their URLs, the first few are taken;
 * loggregator-agent-release v8.3.9 counts the bad ones too, so that five of them can shut out a
 * good one.
 */

import { parse } from 'yaml';
import { type DrainFilter, filterOf } from './filter.ts';

/** One drain of one app. */
export interface DrainBinding extends DrainFilter {
  readonly appId: string;
  /** What messages name as their host when an envelope's tags don't. */
  readonly hostname: string;
  readonly url: URL;
  readonly credentials: Credentials;
  /** The URL without user, password and query: what logs and metrics may show. */
  readonly shownUrl: string;
  /** All of the above as text: two drains with the same identity are one. */
  readonly identity: string;
}

export interface Credentials {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** A drain that was not taken. */
export interface Refusal {
  readonly appId: string;
  readonly shownUrl: string;
  readonly reason: string;
  /** Whether the drain itself is at fault, or only too many are there. */
  readonly isInvalid: boolean;
}

export interface Bindings {
  readonly drains: readonly DrainBinding[];
  readonly refused: readonly Refusal[];
}

export interface BindingRules {
  /** The most drains of one app. */
  readonly perApp: number;
  /** Whether tags go along when the URL doesn't say. */
  readonly metadata: boolean;
}

/** A file that cannot be read as bindings. */
export class BindingsError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BindingsError';
  }
}

/** The longest text that is read as YAML: it takes some seconds, and half a gigabyte meanwhile. */
const YAML_LENGTH_MAX = 8 * 1024 * 1024;

/** Reads a bindings file's text. Throws a BindingsError. */
export function parseBindings(text: string, rules: BindingRules): Bindings {
  const wanted = wantedDrains(parsed(text));
  const hostnames = new Map(wanted.map(({ appId, hostname }) => [appId, hostname]));
  const refused: Refusal[] = [];
  const byApp = new Map<string, Map<string, DrainBinding>>();
  for (const { appId, url, credentials } of wanted) {
    const hostname = hostnames.get(appId) ?? '';
    const drain = drainOf({ appId, hostname, url, credentials }, rules.metadata);
    if ('reason' in drain) {
      refused.push(drain);
      continue;
    }
    const drains = byApp.get(appId) ?? new Map<string, DrainBinding>();
    byApp.set(appId, drains.set(drain.identity, drain));
  }

  const drains: DrainBinding[] = [];
  for (const all of byApp.values()) {
    const sorted = [...all.values()].sort((a, b) => (a.url.href < b.url.href ? -1 : 1));
    drains.push(...sorted.slice(0, rules.perApp));
    for (const { appId, shownUrl } of sorted.slice(rules.perApp)) {
      const reason = `an app may have ${rules.perApp} drains`;
      refused.push({ appId, shownUrl, reason, isInvalid: false });
    }
  }
  return { drains, refused };
}

/** What the file asks for, its URLs not looked at yet. */
interface WantedDrain {
  readonly appId: string;
  readonly hostname: string;
  readonly url: string;
  readonly credentials: Credentials;
}

function parsed(text: string): readonly unknown[] {
  const content = contentOf(text);
  const list = isRecord(content) && 'results' in content ? content.results : content;
  if (Array.isArray(list)) return list;
  throw new BindingsError('must be a list of drains, or hold one under `results`; [] is none');
}

/** JSON is YAML too, but as such it takes a hundred times as long to read. */
function contentOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return yamlOf(text, error);
  }
}

function yamlOf(text: string, jsonError: unknown): unknown {
  if (text.length > YAML_LENGTH_MAX) {
    const told = `no JSON (${reasonOf(jsonError)}), and for YAML longer than ${YAML_LENGTH_MAX} characters`;
    throw new BindingsError(told, { cause: jsonError });
  }
  try {
    return parse(text);
  } catch (error) {
    throw new BindingsError(`neither YAML nor JSON: ${reasonOf(error)}`, { cause: error });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function wantedDrains(list: readonly unknown[]): readonly WantedDrain[] {
  return list.flatMap((entry, index) => {
    const place = `drain ${index + 1}`;
    if (!isRecord(entry)) throw new BindingsError(`${place} is no mapping`);
    const url = textOf(entry, 'url', place);
    if (entry.credentials === undefined) {
      return [{ url, ...appOf(entry, place), credentials: credentialsOf(entry, place) }];
    }
    return listOf(entry, 'credentials', place).flatMap((group) =>
      listOf(group, 'apps', place).map((app) => ({
        url,
        ...appOf(app, place),
        credentials: credentialsOf(group, place),
      })),
    );
  });
}

type Fields = Readonly<Record<string, unknown>>;

function appOf(fields: Fields, place: string): { appId: string; hostname: string } {
  const appId = textOf(fields, 'app_id', place);
  if (appId === '') throw new BindingsError(`${place}: app_id must not be empty`);
  return { appId, hostname: textOf(fields, 'hostname', place, '') };
}

function credentialsOf(fields: Fields, place: string): Credentials {
  return {
    cert: textOf(fields, 'cert', place, ''),
    key: textOf(fields, 'key', place, ''),
    ca: textOf(fields, 'ca', place, ''),
  };
}

function listOf(fields: Fields, name: string, place: string): readonly Fields[] {
  const value = fields[name] ?? [];
  if (Array.isArray(value) && value.every(isRecord)) return value;
  throw new BindingsError(`${place}: ${name} must be a list of mappings`);
}

function textOf(fields: Fields, name: string, place: string, fallback?: string): string {
  const value = fields[name] ?? fallback;
  if (typeof value === 'string') return value;
  throw new BindingsError(`${place}: ${name} must be text`);
}

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A URL stands in metrics, log lines and notices. */
const URL_LENGTH_MAX = 8192;

/** Schemes of the original that this adapter has no writer for. */
const NOT_YET: ReadonlySet<string> = new Set(['syslog-tls:', 'https:', 'https-batch:']);

function drainOf(wanted: WantedDrain, metadata: boolean): DrainBinding | Refusal {
  const { appId, hostname, credentials } = wanted;
  const refusal = (shownUrl: string, reason: string): Refusal => ({
    appId,
    shownUrl,
    reason,
    isInvalid: true,
  });
  if (wanted.url.length > URL_LENGTH_MAX) {
    return refusal('(not shown)', `the URL is longer than ${URL_LENGTH_MAX} characters`);
  }
  if (!URL.canParse(wanted.url)) return refusal('(not shown)', 'this is no URL');
  const url = new URL(wanted.url);
  const shownUrl = `${url.protocol}//${url.host}${url.pathname}`;
  if (NOT_YET.has(url.protocol)) {
    return refusal(shownUrl, `drains with ${url.protocol}// are not supported yet`);
  }
  if (url.protocol !== 'syslog:') return refusal(shownUrl, 'the scheme must be syslog');
  if (url.hostname === '') return refusal(shownUrl, 'the URL names no host');
  if (url.port === '' || url.port === '0') return refusal(shownUrl, 'the URL names no port');
  const filter = filterOf(url, metadata);
  const { cert, key, ca } = credentials;
  const identity = JSON.stringify([appId, hostname, url.href, cert, key, ca, filter.metadata]);
  return { appId, hostname, url, credentials, shownUrl, identity, ...filter };
}
