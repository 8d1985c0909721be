/**
 * Answers as gzip, for those who ask for it.
 *
 * Go's HTTP clients always do, and decode it unseen. It is done on Node's worker threads, so that
 * nobody waits for it; small answers are sent as they are. An answer that is given to many, as meta
 * is, is compressed once.
 */

import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import type { Context } from 'koa';
import type { Hold } from '../answers-in-flight.ts';

const compress = promisify(gzip);

/** Below this, what it saves is not worth a thread's time. */
const BYTES_MIN = 4096;

export class Compression {
  readonly #done = new WeakMap<Buffer, Promise<Buffer>>();

  /**
   * The body to send, which is what the answer then holds: as it is, or compressed, which the headers
   * say. Throws a ReadError, if that is too much.
   */
  async of(ctx: Context, body: Buffer, hold: Hold): Promise<Buffer> {
    const sent = this.#isWanted(ctx, body) ? await this.#compressed(body) : body;
    hold.resize(sent.length);
    if (sent !== body) ctx.set('Content-Encoding', 'gzip');
    return sent;
  }

  #isWanted(ctx: Context, { length }: Buffer): boolean {
    if (length < BYTES_MIN) return false;
    ctx.vary('Accept-Encoding');
    return ctx.acceptsEncodings('gzip', 'identity') === 'gzip';
  }

  #compressed(body: Buffer): Promise<Buffer> {
    const known = this.#done.get(body);
    if (known !== undefined) return known;
    const done = compress(body, { level: constants.Z_BEST_SPEED });
    this.#done.set(body, done);
    return done;
  }
}
