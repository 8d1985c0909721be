/**
 * Which of its zone's Dopplers this one is.
 *
 *     IP addresses only   NODE_INDEX, which is checked at the start
 *     names among them    the member that is this one's own address: NODE_ADDR, else the address
 *                         it listens on, else an address of this machine with its port; if none
 *                         is, NODE_INDEX, as long as each name stands for one address
 *
 * One of the last three may be nobody: then this Doppler keeps all that it is given.
 */

import { networkInterfaces } from 'node:os';
import { formatAddress, isLiteral, parseAddress, type Zone } from '@standpipe/plumbing';
import type { Config } from './config.ts';

type Listening = Pick<Config, 'grpcAddress' | 'nodeAddress' | 'nodeIndex' | 'zone' | 'zones'>;

const EVERYWHERE: readonly string[] = ['0.0.0.0', '::', ''];

/** Whether a list of Dopplers has names, which DNS may lead to others tomorrow. */
export function hasNames({ addresses }: Zone): boolean {
  return !addresses.every(isLiteral);
}

/** The index, or what finds it among the addresses of the moment. */
export function placeOf(
  config: Listening,
  machine: () => readonly string[] = machineAddresses,
): number | ((addresses: readonly string[]) => number | undefined) {
  const { zones, zone, nodeIndex } = config;
  const own = zones.find(({ name }) => name === zone);
  if (own === undefined || !hasNames(own)) return nodeIndex;
  const configured = own.addresses.length;
  return (addresses) => {
    const mine = ownAddresses(config, machine);
    const found = [...addresses.keys()].filter((index) => mine.has(addresses[index] ?? ''));
    const [index, another] = found;
    if (another !== undefined) return undefined; // Two would be one process.
    if (index !== undefined) return index;
    return addresses.length === configured && nodeIndex < configured ? nodeIndex : undefined;
  };
}

function ownAddresses(
  { grpcAddress, nodeAddress }: Listening,
  machine: () => readonly string[],
): ReadonlySet<string> {
  if (nodeAddress !== '') return new Set([nodeAddress]);
  const listening = parseAddress(grpcAddress);
  if (listening === undefined) return new Set();
  const { host, port } = listening;
  const hosts = EVERYWHERE.includes(host) ? machine() : [host];
  return new Set(hosts.map((ip) => formatAddress({ host: ip, port })));
}

function machineAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.map(({ address }) => address),
  );
}
