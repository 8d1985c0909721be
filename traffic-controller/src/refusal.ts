/**
 * Answers, above all those that say no, with the very headers and bodies that clients of Loggregator
 * v107.0.21 know.
 */

import type { ServerResponse } from 'node:http';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

export interface Refusal extends Reply {
  readonly body: string;
}

const CHALLENGE = { 'WWW-Authenticate': 'Basic' };
const PLAIN = { 'Content-Type': 'text/plain; charset=utf-8' };
const GO_ERROR = { ...PLAIN, 'X-Content-Type-Options': 'nosniff' };
const VERSION = { 'Sec-Websocket-Version': '13' };

/** No answer but its status. */
export function bare(status: number): Refusal {
  return { status, headers: {}, body: '' };
}

/** noaa puts the text into its own error, and asks for a new token on this status alone. */
export function unauthorized(reason: string): Refusal {
  const body = `You are not authorized. Error: ${reason}`;
  return { status: 401, headers: { ...CHALLENGE, ...PLAIN }, body };
}

export const CHALLENGED: Refusal = { status: 401, headers: CHALLENGE, body: '' };

export const NO_HANDSHAKE: Refusal = {
  status: 400,
  headers: { ...GO_ERROR, ...VERSION },
  body: 'Bad Request\n',
};

export const NOT_GET: Refusal = {
  status: 405,
  headers: { ...GO_ERROR, ...VERSION },
  body: 'Method Not Allowed\n',
};

export const BAD_REQUEST: Refusal = { status: 400, headers: GO_ERROR, body: 'Bad Request\n' };

export const NOT_FOUND: Refusal = { status: 404, headers: GO_ERROR, body: '404 page not found\n' };

/** What the gateway says to whoever may not read, and when it is not there. */
export const READ_FORBIDDEN: Refusal = gatewayRefusal(404, 'not_found', 'resource not found');
export const NO_GATEWAY: Refusal = gatewayRefusal(
  503,
  'streaming_unavailable',
  'streaming is temporarily unavailable',
);

/** The stand-in for UAA and Cloud Controller is not there. */
export const NO_PLATFORM: Refusal = jsonRefusal(502, 'unavailable', 'the platform does not answer');

export const TOO_LARGE: Refusal = jsonRefusal(413, 'too_large', 'the body is too large');

/** As the gateway writes them: JSON that is called text. */
function gatewayRefusal(status: number, error: string, message: string): Refusal {
  return { status, headers: GO_ERROR, body: `${JSON.stringify({ message, error })}\n\n` };
}

function jsonRefusal(status: number, error: string, description: string): Refusal {
  const headers = { 'Content-Type': 'application/json' };
  return { status, headers, body: JSON.stringify({ error, error_description: description }) };
}

/** Answers; a connection whose request has not come whole is not used again. */
export function answer(response: ServerResponse, refusal: Refusal): void {
  const { req } = response;
  response.writeHead(refusal.status, {
    ...refusal.headers,
    'Content-Length': Buffer.byteLength(refusal.body),
    ...(req.httpVersionMajor === 1 && !req.complete && { Connection: 'close' }),
  });
  response.end(refusal.body);
}
