/**
 * The token of a request: in the header `Authorization` or, at the front door, in the cookie
 * `authorization`. `Bearer x`, `bearer x` and the bare `x` are all in use and all mean the same.
 */

import type { IncomingHttpHeaders } from 'node:http';

/** The header, else the cookie, else nothing. */
export function authorizationOf(headers: IncomingHttpHeaders): string {
  const header = headers.authorization?.trim() ?? '';
  if (header !== '') return header;
  for (const pair of (headers.cookie ?? '').split(';')) {
    const equals = pair.indexOf('=');
    if (equals < 0 || pair.slice(0, equals).trim() !== 'authorization') continue;
    return unescaped(pair.slice(equals + 1).trim());
  }
  return '';
}

/** The token without its scheme. */
export function bareToken(authorization: string): string {
  return authorization.trim().replace(/^bearer\s+/i, '');
}

/** As a query is unescaped: `+` is a blank. What isn't escaped right is no token. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' ')).trim();
  } catch (error) {
    if (error instanceof URIError) return '';
    throw error;
  }
}
