/**
 * The origin that links and tokens name: what the client asked for, so that it comes back the way
 * it came, be that through the front door or past it.
 */

import type { IncomingHttpHeaders } from 'node:http';

const HOST = /^(?:\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::\d{1,5})?$/i;

/** `https://host:port` by what a proxy forwarded, else by the Host header, else `fallback`. */
export function originOf(headers: IncomingHttpHeaders, fallback: string): string {
  const scheme = first(headers['x-forwarded-proto']) === 'https' ? 'https' : 'http';
  const host = first(headers['x-forwarded-host']) || (headers.host ?? '');
  const origin = `${scheme}://${host}`;
  return HOST.test(host) && URL.canParse(origin) ? origin : fallback;
}

/** The same origin for websockets. */
export function websocketOrigin(origin: string): string {
  return origin.replace(/^http/, 'ws');
}

/** Each proxy adds its own behind a comma; the first is what the client asked for. */
function first(header: string | readonly string[] | undefined): string {
  return String(header ?? '')
    .split(',', 1)
    .join('')
    .trim();
}
