/**
 * `GET /api/v1/tail/SOURCE`: what a source gets, as server-sent events.
 *
 *     id: PLACES⏎data: {"envelopes":{"batch":[…]}}⏎⏎      envelopes, as `read` has them
 *     id: PLACES⏎⏎                                        how far it has come, without envelopes
 *     event: gap⏎data: {"zone":…,"reason":…,…}⏎⏎          something is missing here
 *     event: missing⏎data: {"nodes":["az1/1"]}⏎⏎          owners that can't be reached now
 *     event: error⏎data: {"code":8,"message":…}⏎⏎         the last, when it can't go on
 *     event: heartbeat⏎data: <seconds since 1970>⏎⏎       after 15 s without anything
 *
 * Nothing is dropped here: while the client does not read, neither do we, and what is too much drops
 * at the owner, who says so. A client that has taken nothing for a minute, while there was
 * something, is hung up on.
 *
 * Hot: per chunk its JSON straight from its bytes, and one write.
 */

import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { JsonWriter } from '@standpipe/protos';
import type { Context } from 'koa';
import { isClosed } from '../once-closed.ts';
import { ReadError } from '../read-error.ts';
import type { Gap, Place, Tails, ZoneChunk, ZonesRequest } from '../tail/tail.ts';
import { eventId } from './event-id.ts';

const HEARTBEAT_MS = 15_000;
const STALL_MS = 60_000;
/** How long a refusal may take to come; later ones end the stream. */
const OPENING_MS = 1000;
/** A client that is gone without a word is noticed by the kernel's own questions. */
const KEEPALIVE_MS = 4000;

export interface TailAnswerOptions {
  readonly tails: Tails;
  readonly request: ZonesRequest;
  readonly writer: JsonWriter;
  /** Default 15 s. */
  readonly heartbeatMs?: number | undefined;
}

/** Answers until the client leaves or the tail ends. Rejects, before it answers, when it is refused. */
export async function answerTail(
  ctx: Context,
  { tails, request, writer, heartbeatMs = HEARTBEAT_MS }: TailAnswerOptions,
): Promise<void> {
  if (isClosed(ctx.res)) return; // It went while it was asked what it may see.
  const gone = new AbortController();
  ctx.res.once('close', () => gone.abort());
  const chunks = tails.tail(request, gone.signal)[Symbol.asyncIterator]();
  const first = chunks.next();
  const opening = new AbortController();
  await Promise.race([
    first.finally(() => opening.abort()),
    wait(OPENING_MS, undefined, { signal: opening.signal }).catch(() => undefined),
  ]);

  ctx.respond = false; // What is answered goes past Koa.
  const stream = new EventStream(ctx.res, writer, new Map(request.after));
  stream.begin(heartbeatMs);
  try {
    for (let next = await first; next.done !== true; next = await chunks.next()) {
      await stream.write(next.value, gone.signal);
    }
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    stream.fail(error);
  } finally {
    gone.abort();
    stream.end();
  }
}

class EventStream {
  readonly #response: ServerResponse;
  readonly #writer: JsonWriter;
  readonly #places: Map<string, Place>;
  #heartbeat: NodeJS.Timeout | undefined;
  #isFull = false;

  constructor(response: ServerResponse, writer: JsonWriter, places: Map<string, Place>) {
    this.#response = response;
    this.#writer = writer;
    this.#places = places;
  }

  begin(heartbeatMs: number): void {
    const response = this.#response;
    const isHttp1 = response.req.httpVersionMajor === 1; // HTTP/2 has no such header.
    response.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-cache',
      'X-Accel-Buffering': 'no', // Or a proxy may keep events back.
      ...(isHttp1 && { Connection: 'keep-alive' }),
    });
    response.flushHeaders();
    if (isHttp1) response.req.socket.setKeepAlive(true, KEEPALIVE_MS); // HTTP/2 has it to itself.
    response.setTimeout(STALL_MS, () => response.destroy());
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs);
  }

  /** Resolves when the client takes more, or is gone. */
  async write(chunk: ZoneChunk, gone: AbortSignal): Promise<void> {
    if (gone.aborted) return;
    this.#heartbeat?.refresh();
    if (this.#response.write(this.#text(chunk))) return;
    this.#isFull = true;
    await once(this.#response, 'drain', { signal: gone }).catch(() => undefined);
    this.#isFull = false;
  }

  /** Says why it ends. */
  fail({ code, message }: ReadError): void {
    event(this.#writer, 'error', { code, message });
    this.#response.write(this.#writer.take());
  }

  end(): void {
    clearInterval(this.#heartbeat);
    if (!this.#response.writableEnded) this.#response.end();
  }

  #text({ zone, batch, place, gaps, missing }: ZoneChunk): Buffer {
    const writer = this.#writer;
    if (missing !== undefined) event(writer, 'missing', { nodes: missing });
    for (const gap of gaps) event(writer, 'gap', gapBody(zone, gap));
    if (place !== undefined) {
      this.#places.set(zone, place);
      writer.raw(`id: ${eventId(this.#places)}\n`);
    }
    if (batch.count > 0) writer.raw('data: {"envelopes":').batch(batch.bytes).raw('}\n');
    return writer.raw('\n').take();
  }

  #beat(): void {
    if (this.#isFull) return; // There is enough that it has not read.
    this.#response.write(`event: heartbeat\ndata: ${Math.floor(Date.now() / 1000)}\n\n`);
  }
}

function event(writer: JsonWriter, name: string, body: object): void {
  writer.raw(`event: ${name}\ndata: ${JSON.stringify(body)}\n\n`);
}

function gapBody(zone: string, { reason, count, after }: Gap): object {
  return {
    zone,
    reason,
    ...(count !== undefined && { count: String(count) }),
    after: String(after),
  };
}
