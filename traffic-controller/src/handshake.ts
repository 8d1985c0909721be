/** Whether a request is a websocket handshake (RFC 6455, 4.2.1), checked in the order of the original. */

import type { IncomingMessage } from 'node:http';
import { NO_HANDSHAKE, NOT_GET, type Refusal } from './refusal.ts';

/** Sixteen bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/** What is wrong with it as a handshake; undefined, if nothing is. */
export function handshakeMistake(request: IncomingMessage): Refusal | undefined {
  const { connection, upgrade } = request.headers;
  if (!hasToken(connection, 'upgrade') || !hasToken(upgrade, 'websocket')) return NO_HANDSHAKE;
  if (request.method !== 'GET') return NOT_GET;
  if (request.headers['sec-websocket-version'] !== '13') return NO_HANDSHAKE;
  if (!KEY.test(request.headers['sec-websocket-key'] ?? '')) return NO_HANDSHAKE;
  return undefined;
}

function hasToken(header: string | undefined, token: string): boolean {
  return (header ?? '').split(',').some((part) => part.trim().toLowerCase() === token);
}
