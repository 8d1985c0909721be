/**
 * Hears that what carries an answer to its client has closed, also when that has been.
 *
 * 'close' comes once. Who begins to listen after something that takes its time, as a question to UAA,
 * may come too late for it, and what waits for it is then never given back.
 */

/** A response of HTTP/1 or HTTP/2, or a gRPC call. */
export interface Carrier {
  once(event: 'close', listener: () => void): unknown;
  readonly destroyed?: boolean;
  /** What an HTTP/2 response has instead. */
  readonly stream?: { readonly destroyed: boolean };
}

export function isClosed({ destroyed, stream }: Carrier): boolean {
  return destroyed === true || stream?.destroyed === true;
}

/** Calls `listener` when it closes; at once, if it is closed. */
export function onceClosed(carrier: Carrier, listener: () => void): void {
  if (isClosed(carrier)) listener();
  else carrier.once('close', listener);
}
