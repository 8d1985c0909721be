/**
 * Which servers there are, and in which availability zone.
 *
 * The order within a zone is the order that decides who owns what, so all must be told the same.
 * A static list is all there is today; DNS or NATS would stand behind `Members`.
 */

import { parseAddress } from './address.ts';
import type { Env } from './env.ts';

export interface Zone {
  readonly name: string;
  /** `host:port`, in the order of their index. */
  readonly addresses: readonly string[];
}

export interface Members {
  readonly zones: readonly Zone[];
}

const ZONE_DEFAULT = 'default';

const FORM = 'ZONE=HOST:PORT,HOST:PORT;ZONE=HOST:PORT';

/** The members that settings name. They never change while the process runs. */
export function staticShards(env: Env): Members {
  return { zones: shardSettings(env) };
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
  const parsed = parseAddress(address);
  if (parsed === undefined || parsed.host === '') return `${shown}, which is not HOST:PORT,`;
  if (parsed.port === 0) return `${shown}, whose port can't be 0,`;
  return zone === undefined ? undefined : `${shown}, which is in zone ${zone} already,`;
}
