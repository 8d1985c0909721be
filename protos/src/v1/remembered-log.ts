/**
 * A LogMessage of which all but its time, type and payload is known, because a log of the same
 * instance has become v1 before (log-memo.ts).
 *
 *     │ origin │ type │ time │ body: payload, type, time, │ ids │ │ rest: deployment … tags │
 *       kept                                                kept    kept
 *
 * Hot.
 */

import type { LogParts } from '../message-parts.ts';
import { FRAME_TAG } from '../packed-batch.ts';
import { fieldSize, varint64Size, type WireWriter } from '../wire-writer.ts';

/** What is kept of a log that became v1: fields of events.Envelope, and those of its LogMessage. */
export interface LogPieces {
  readonly origin: Buffer;
  readonly ids: Buffer;
  readonly rest: Buffer;
}

/** What differs from one log to the next. */
export interface LogMoment {
  readonly log: LogParts;
  readonly timeHigh: number;
  readonly timeLow: number;
}

const EVENT_TYPE = 0x10;
const LOG_MESSAGE = 5;
const TIMESTAMP = 0x30;
const BODY = 0x42;
const PAYLOAD = 0x0a;
const MESSAGE_TYPE = 0x10;
const MESSAGE_TIMESTAMP = 0x18;
const OUT = 1;
const ERR = 2;

/** How long the payload is, the LogMessage, and the envelope around it. */
export class LogSizes {
  payload = 0;
  body = 0;
  envelope = 0;

  of({ log, timeHigh, timeLow }: LogMoment, { origin, ids, rest }: LogPieces): this {
    const time = 1 + varint64Size(timeHigh, timeLow);
    this.payload = log.payloadEnd - log.payloadStart;
    this.body = fieldSize(this.payload) + 2 + time + ids.length;
    this.envelope = origin.length + 2 + time + fieldSize(this.body) + rest.length;
    return this;
  }
}

/** Writes its frame and the envelope, for which there is room; returns where the envelope begins. */
export function writeRemembered(
  wire: WireWriter,
  bytes: Uint8Array,
  { log, timeHigh, timeLow }: LogMoment,
  { origin, ids, rest }: LogPieces,
  sizes: LogSizes,
): number {
  wire.byte(FRAME_TAG);
  wire.varint(sizes.envelope);
  const start = wire.byteLength;
  wire.again(origin);
  wire.byte(EVENT_TYPE);
  wire.byte(LOG_MESSAGE);
  wire.byte(TIMESTAMP);
  wire.varint64(timeHigh, timeLow);
  wire.byte(BODY);
  wire.varint(sizes.body);
  wire.field(PAYLOAD, bytes, log.payloadStart, log.payloadEnd);
  wire.byte(MESSAGE_TYPE);
  wire.byte(log.type === 0 ? OUT : ERR);
  wire.byte(MESSAGE_TIMESTAMP);
  wire.varint64(timeHigh, timeLow);
  wire.again(ids);
  wire.again(rest);
  return start;
}
