/**
 * How long a client may take over an answer that is complete.
 *
 * What a client does not read is kept for it here, so one that never reads would keep it for as
 * long as it likes. It has half a minute, and a second more for each 64 KiB; then it is hung up on
 * and counted. An answer that is still being written has no such limit: whoever writes a stream
 * knows how slow its reader may be.
 */

import type { ServerResponse } from 'node:http';
import { constants, Http2ServerResponse } from 'node:http2';

const WRITE_LIMIT_MS = 30_000;
const BYTES_PER_MS = 64;

export interface WriteLimit {
  /** Default 30 s. */
  readonly writeMs?: number | undefined;
  /** Told of each client that was hung up on. */
  readonly onCut: (facts: { readonly bytes: number; readonly peer: string | undefined }) => void;
}

/** Watches an answer, if it is complete and the connection has not taken all of it yet. */
export function limitWriting(
  response: ServerResponse | Http2ServerResponse,
  { writeMs = WRITE_LIMIT_MS, onCut }: WriteLimit,
): void {
  if (!response.writableEnded || response.writableFinished) return;
  const limitMs = writeMs + response.writableLength / BYTES_PER_MS;
  const timer = setTimeout(() => {
    onCut({ bytes: response.writableLength, peer: response.socket?.remoteAddress });
    // Over HTTP/2 only this answer ends; the connection may have others.
    if (response instanceof Http2ServerResponse) response.stream.close(constants.NGHTTP2_CANCEL);
    else response.destroy();
  }, limitMs);
  response.once('close', () => clearTimeout(timer));
}
