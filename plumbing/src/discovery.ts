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

/** The members that settings name. They never change while the process runs. */
export function staticShards(env: Env): Members {
  return { zones: shardSettings(env) };
}

/**
 * The zones from DOPPLER_SHARDS (`az1=H:P,H:P;az2=H:P`), else from the original's ROUTER_ADDRS or
 * ROUTER_ADDR as one zone, which is named AGENT_ZONE or `default`.
 */
export function shardSettings(env: Env): readonly Zone[] {
  const shards = env.optional('DOPPLER_SHARDS');
  const name = env.text('AGENT_ZONE', { fallback: ZONE_DEFAULT });
  const list = env.addresses('ROUTER_ADDRS', { fallback: [] });
  const single = env.address('ROUTER_ADDR', { fallback: '' });

  if (shards !== undefined) return zonesOf(env, shards);
  if (list.length > 0) return [{ name, addresses: list }];
  if (single !== '') return [{ name, addresses: [single] }];
  env.mistake('DOPPLER_SHARDS', 'must be set (or ROUTER_ADDRS, or ROUTER_ADDR)');
  return [];
}

function zonesOf(env: Env, text: string): readonly Zone[] {
  const zones: Zone[] = [];
  for (const part of text.split(';')) {
    if (part.trim() === '') continue;
    const equals = part.indexOf('=');
    const name = part.slice(0, Math.max(0, equals)).trim();
    const addresses = part
      .slice(equals + 1)
      .split(',')
      .map((address) => address.trim());
    const valid = addresses.every((address) => (parseAddress(address)?.host ?? '') !== '');
    if (name === '' || !valid) {
      env.mistake(
        'DOPPLER_SHARDS',
        `has ${JSON.stringify(part.trim())}: it must be ZONE=HOST:PORT,HOST:PORT;ZONE=HOST:PORT`,
      );
      continue;
    }
    if (zones.some((zone) => zone.name === name)) {
      env.mistake('DOPPLER_SHARDS', `names the zone ${name} twice`);
      continue;
    }
    zones.push({ name, addresses });
  }
  if (zones.length === 0) env.mistake('DOPPLER_SHARDS', 'names no zone');
  return zones;
}
