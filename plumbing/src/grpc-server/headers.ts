/** What gRPC says in HTTP/2's headers and trailers. */

import type { OutgoingHttpHeaders } from 'node:http2';

export const RESPONSE_HEADERS: OutgoingHttpHeaders = {
  ':status': 200,
  'content-type': 'application/grpc+proto',
};

/** A status' text is cut here, for peers limit what headers may have. */
const DETAILS_BYTES_MAX = 4096;

/** `grpc-message`: printable ASCII as it is, every other byte and `%` as `%XX`. */
export function encodeDetails(details: string): string {
  let text = '';
  for (const byte of Buffer.from(details).subarray(0, DETAILS_BYTES_MAX)) {
    if (byte >= 0x20 && byte <= 0x7e && byte !== 0x25) text += String.fromCharCode(byte);
    else text += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}

const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000001,
};
/** The longest that a timer can wait; a call that may take longer has no limit. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** How long a call may take, by its `grpc-timeout`: undefined is for ever, NaN is no timeout at all. */
export function timeoutMs(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const [, value, unit] = TIMEOUT.exec(header) ?? [];
  const limitMs = Number(value) * (UNIT_MS[unit ?? ''] ?? Number.NaN);
  return limitMs > TIMER_MS_MAX ? undefined : limitMs;
}
