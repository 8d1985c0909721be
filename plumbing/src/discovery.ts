/**
 * Which servers there are, and in which availability zone.
 *
 * The order within a zone is the order that decides who owns what, so it must be the same in all
 * processes. A list of IP addresses stays as it is (`staticMembers`); names in it are followed as
 * DNS changes (dns-members.ts). A registry would be one more thing behind `Members`.
 */

import { isIP } from 'node:net';
import { parseAddress } from './address.ts';
import type { Env } from './env.ts';

export interface Zone {
  readonly name: string;
  /** `host:port`, in the order of their index. There is always one at least. */
  readonly addresses: readonly string[];
}

/** The servers there are now. Disposing of it ends the following, and forgets the listeners. */
export interface Members extends Disposable {
  /** A name that was never resolved holds its place here as it stands in the settings. */
  readonly zones: readonly Zone[];
  /** All that can be connected to, once each: no name that was never resolved is among them. */
  readonly addresses: readonly string[];
  /** The listener hears of each change, after it, until what is returned is disposed of. */
  onChange(listener: (zones: readonly Zone[]) => void): Disposable;
}

/** How names are looked up. */
export interface DnsSettings {
  /** Whom to ask, `IP` or `IP:PORT`; nobody in particular: as this machine looks up names. */
  readonly servers: readonly string[];
  /** How often. */
  readonly intervalMs: number;
}

const ZONE_DEFAULT = 'default';

const FORM = 'ZONE=HOST:PORT,HOST:PORT;ZONE=HOST:PORT';

/** `_grpc._tcp.doppler.example`: who stands behind it, and on which ports, is in its SRV records. */
const SERVICE_NAME = /^_[A-Za-z0-9-]+\._[A-Za-z0-9-]+\.[A-Za-z0-9._-]+$/;

/** Members that never change. */
export function staticMembers(zones: readonly Zone[]): Members {
  return {
    zones,
    addresses: [...new Set(zones.flatMap(({ addresses }) => addresses))],
    onChange: () => ({ [Symbol.dispose]: () => undefined }),
    [Symbol.dispose]: () => undefined,
  };
}

/** Whether an entry of a zone names a service, whose SRV records say the rest. */
export function isServiceName(entry: string): boolean {
  return SERVICE_NAME.test(entry);
}

/** Whether an entry of a zone is an IP address with its port, which nobody need look up. */
export function isLiteral(entry: string): boolean {
  return isIP(parseAddress(entry)?.host ?? '') !== 0;
}

/** DNS_SERVERS and DNS_INTERVAL. */
export function dnsSettings(env: Env): DnsSettings {
  const servers = env.list('DNS_SERVERS', { fallback: [] });
  for (const server of servers) {
    if (isIP(server) !== 0 || isLiteral(server)) continue;
    env.mistake('DNS_SERVERS', `has ${JSON.stringify(server)}: it must be IP or IP:PORT`);
  }
  const intervalMs = env.duration('DNS_INTERVAL', { fallback: '5s', min: '100ms', max: '1h' });
  return { servers, intervalMs };
}

/**
 * The zones from DOPPLER_SHARDS, else from the original's ROUTER_ADDRS or ROUTER_ADDR as one zone,
 * which is named AGENT_ZONE or `default`.
 */
export function shardSettings(env: Env): readonly Zone[] {
  const zones = zoneSettings(env);
  const name = env.text('AGENT_ZONE', { fallback: ZONE_DEFAULT });
  const list = env.addresses('ROUTER_ADDRS', { fallback: [] });
  const single = env.address('ROUTER_ADDR', { fallback: '' });

  if (zones !== undefined) return zones;
  if (list.length > 0) return [{ name, addresses: list }];
  if (single !== '') return [{ name, addresses: [single] }];
  env.mistake('DOPPLER_SHARDS', 'must be set (or ROUTER_ADDRS, or ROUTER_ADDR)');
  return [];
}

/**
 * The zones from DOPPLER_SHARDS alone, `az1=HOST:PORT,HOST:PORT;az2=HOST:PORT`; undefined when it
 * is not set. Blanks around names and addresses don't matter, nor does a semicolon at the end;
 * everything else that is odd is a mistake, for a list that two processes read differently would
 * route one source to two owners.
 */
export function zoneSettings(env: Env): readonly Zone[] | undefined {
  const text = env.optional('DOPPLER_SHARDS');
  if (text === undefined) return undefined;
  const zones: Zone[] = [];
  const parts = text.split(';').map((part) => part.trim());
  if (parts.at(-1) === '') parts.pop();

  const seen = new Map<string, string>();
  for (const part of parts) {
    const equals = part.indexOf('=');
    const name = part.slice(0, Math.max(0, equals)).trim();
    if (name === '') {
      env.mistake('DOPPLER_SHARDS', `has ${JSON.stringify(part)}: it must be ${FORM}`);
      continue;
    }
    if (zones.some((zone) => zone.name === name)) {
      env.mistake('DOPPLER_SHARDS', `names the zone ${name} twice`);
    }
    const addresses = part
      .slice(equals + 1)
      .split(',')
      .map((address) => address.trim());
    for (const address of addresses) {
      const mistake = mistakeIn(address, seen.get(address));
      if (mistake !== undefined) env.mistake('DOPPLER_SHARDS', `has ${mistake} in zone ${name}`);
      seen.set(address, name);
    }
    zones.push({ name, addresses });
  }
  return zones;
}

/** What is wrong with the address of a shard; `zone` is where the same one is there already. */
function mistakeIn(address: string, zone: string | undefined): string | undefined {
  const shown = JSON.stringify(address);
  if (!isServiceName(address)) {
    const parsed = parseAddress(address);
    if (parsed === undefined || parsed.host === '') return `${shown}, which is not HOST:PORT,`;
    if (parsed.port === 0) return `${shown}, whose port can't be 0,`;
  }
  return zone === undefined ? undefined : `${shown}, which is in zone ${zone} already,`;
}
