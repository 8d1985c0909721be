/**
 * Where to connect when many Dopplers stand behind one name: one of its addresses, at random.
 *
 * The name of the agent's own zone is asked first; the plain name only if that one is not known.
 */

import { lookup } from 'node:dns/promises';
import { formatAddress, parseAddress } from '@standpipe/plumbing';

type Lookup = (host: string) => Promise<readonly { readonly address: string }[]>;

export function poolResolver(
  addressWithZone: string,
  lookUp: Lookup = (host) => lookup(host, { all: true }),
): (address: string) => Promise<string> {
  return async (address) => {
    if (addressWithZone !== '') {
      const found = await oneOf(addressWithZone, lookUp).catch(() => undefined); // Asked in vain.
      if (found !== undefined) return found;
    }
    const found = await oneOf(address, lookUp);
    if (found === undefined) throw new Error(`${address} has no address`);
    return found;
  };
}

async function oneOf(address: string, lookUp: Lookup): Promise<string | undefined> {
  const wanted = parseAddress(address);
  if (!wanted) return undefined;
  const found = await lookUp(wanted.host);
  const one = found[Math.floor(Math.random() * found.length)];
  return one && formatAddress({ host: one.address, port: wanted.port });
}
