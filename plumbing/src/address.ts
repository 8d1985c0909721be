/**
 * An address as settings write it: `host:port`, with brackets around an IPv6 host.
 */

import { isIP } from 'node:net';

export interface HostPort {
  /** Without brackets. Empty in `:8080`, which Go's programs read as every interface. */
  readonly host: string;
  readonly port: number;
}

/** What `text` names; undefined, if it isn't `host:port` with a port from 0 to 65535. */
export function parseAddress(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([A-Za-z0-9._-]*)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const [, bracketed, plain, digits] = match;
  const port = Number(digits);
  if (port > 65_535) return undefined;
  if (bracketed !== undefined && isIP(bracketed) !== 6) return undefined;
  return { host: bracketed ?? plain ?? '', port };
}

export function formatAddress(address: HostPort): string {
  return isIP(address.host) === 6
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`;
}

/** Whether only this machine can reach what listens on `host`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
