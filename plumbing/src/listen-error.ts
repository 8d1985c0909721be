/**
 * Why a listener could not be opened, in words for whoever set the address.
 */

import { isLoopback, parseAddress } from './address.ts';

export class ListenError extends Error {
  readonly address: string;

  constructor(address: string, reason: string, options?: ErrorOptions) {
    super(`cannot listen on ${address}: ${reason}`, options);
    this.name = 'ListenError';
    this.address = address;
  }
}

/** Turns what listening failed with into a ListenError. */
export function listenError(address: string, cause: unknown): ListenError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new ListenError(address, reasonOf(text), { cause });
}

function reasonOf(text: string): string {
  if (text.includes('EADDRINUSE')) return 'the port is in use (EADDRINUSE)';
  if (text.includes('EACCES')) return 'this user may not (EACCES)';
  if (text.includes('EADDRNOTAVAIL')) return 'this machine has no such address (EADDRNOTAVAIL)';
  return text;
}

/**
 * The host and port to listen on; an empty host is every interface. Without TLS only this machine
 * may connect, unless `allowPublic` says that something else keeps strangers out.
 */
export function listenAddress(
  address: string,
  options: { readonly secure: boolean; readonly allowPublic: boolean },
): { readonly host: string; readonly port: number } {
  const parsed = parseAddress(address);
  if (parsed === undefined) throw new ListenError(address, 'it must be HOST:PORT');
  const host = parsed.host === '' ? '0.0.0.0' : parsed.host;
  if (!options.secure && !options.allowPublic && !isLoopback(host)) {
    throw new ListenError(address, 'without TLS only a loopback address such as 127.0.0.1 will do');
  }
  return { host, port: parsed.port };
}
