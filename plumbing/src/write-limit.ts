/**
 * How long a client may take over an answer that is complete.
 *
 * What a client does not read is kept for it here, so one that never reads would keep it for as
 * long as it likes. One that has taken nothing for half a minute, or not all within ten, is hung up
 * on and counted. An answer that is still being written has no such limit: whoever writes a stream
 * knows how slow its reader may be.
 */

import type { ServerResponse } from 'node:http';
import { constants, Http2ServerResponse } from 'node:http2';

const STALL_LIMIT_MS = 30_000;
const TOTAL_LIMIT_MS = 10 * 60_000;

export interface WriteLimit {
  /** How long a client may take nothing. Default 30 s. */
  readonly stallMs?: number | undefined;
  /** Told of each client that was hung up on. */
  readonly onCut: (facts: { readonly bytes: number; readonly peer: string | undefined }) => void;
}

/** Watches an answer, if it is complete and the connection has not taken all of it yet. */
export function limitWriting(
  response: ServerResponse | Http2ServerResponse,
  { stallMs = STALL_LIMIT_MS, onCut }: WriteLimit,
): void {
  if (!response.writableEnded || response.writableFinished) return;
  const cut = (): void => {
    onCut({ bytes: response.writableLength, peer: response.socket?.remoteAddress });
    // Over HTTP/2 only this answer ends; the connection may have others.
    if (response instanceof Http2ServerResponse) response.stream.close(constants.NGHTTP2_CANCEL);
    else response.destroy();
  };
  const total = setTimeout(cut, TOTAL_LIMIT_MS);
  // Node sees for itself whether any of what waits was taken, and begins anew.
  response.setTimeout(stallMs, cut);
  response.once('close', () => clearTimeout(total));
}
