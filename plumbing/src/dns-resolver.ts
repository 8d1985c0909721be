/**
 * What a name stands for: as this machine looks names up, which is what Go's programs do and reads
 * /etc/hosts; or as DNS servers of the settings answer.
 *
 * Of a name with addresses of both families only the IPv4 ones count: far more often they are two
 * ways to one server than two servers, and a server that is taken for two is read twice.
 */

import { lookup, Resolver } from 'node:dns/promises';

export interface NameResolver {
  /** The IP addresses of a host, in any order. Rejects when they can't be found out. */
  addresses(host: string): Promise<readonly string[]>;
  /** Who offers a service, by its SRV records. */
  services(name: string): Promise<readonly ServiceRecord[]>;
}

export interface ServiceRecord {
  /** The host that offers it. */
  readonly name: string;
  readonly port: number;
}

/** How long one server is waited for, and how often each is asked. */
const QUERY_LIMIT_MS = 2000;
const QUERY_TRIES = 2;

/** What means that there is no such name, or no address of this family: another may have one. */
const NOT_FOUND: readonly unknown[] = ['ENOTFOUND', 'ENODATA', 'EAI_ADDRFAMILY', 'EAI_NODATA'];

/** Asks these servers; without any, the machine's own way of looking up names. */
export function nameResolver(servers: readonly string[] = []): NameResolver {
  const resolver = new Resolver({ timeout: QUERY_LIMIT_MS, tries: QUERY_TRIES });
  if (servers.length > 0) resolver.setServers(servers);
  const addresses = servers.length > 0 ? byServers(resolver) : byMachine;
  return { addresses, services: (name) => resolver.resolveSrv(name) };
}

function byMachine(host: string): Promise<readonly string[]> {
  return ofOneFamily(async (family) => {
    const found = await lookup(host, { all: true, family });
    return found.map(({ address }) => address);
  });
}

function byServers(resolver: Resolver): NameResolver['addresses'] {
  return (host) =>
    ofOneFamily((family) => (family === 4 ? resolver.resolve4(host) : resolver.resolve6(host)));
}

/** A failure is no answer: only who is known to have no IPv4 address is asked for the others. */
async function ofOneFamily(ask: (family: 4 | 6) => Promise<string[]>): Promise<readonly string[]> {
  try {
    const found = await ask(4);
    if (found.length > 0) return found;
  } catch (error) {
    if (!NOT_FOUND.includes((error as NodeJS.ErrnoException).code)) throw error;
  }
  return ask(6);
}
