/**
 * One pass over an EnvelopeBatch: the only time that its bytes are read to be understood.
 *
 * The scan finds the bounds, source id, instance, time, kind and name of each envelope and writes
 * them into the columns of a Batch. It allocates nothing. Its verdict is that of a full decode:
 * nested messages and map entries are walked as well, and strings must be UTF-8, so what has
 * passed a scan can be handed to any peer. scan.test.ts holds it against protobufjs.
 *
 * Hot: this runs once for each envelope in each process; scan.bench.ts has the figures.
 */

import { type Batch, Kind } from './batch.ts';
import { hashBytes } from './byte-map.ts';
import { PackedBatch } from './packed-batch.ts';
import { scanEvent, scanGauge, scanLog, scanNamed, scanTag, scanValueTag } from './scan-parts.ts';
import { isUtf8 } from './utf8.ts';
import { MALFORMED, passUnknown, readLength, readTag, wire } from './wire.ts';

const EMPTY_HASH = hashBytes(new Uint8Array(0), 0, 0);

/** What may stand in a batch, and in an envelope: field number and wire type. */
const FRAME = 0x0a;
const TIMESTAMP = 0x08;
const SOURCE_ID = 0x12;
const DEPRECATED_TAG = 0x1a;
const LOG = 0x22;
const COUNTER = 0x2a;
const GAUGE = 0x32;
const TIMER = 0x3a;
const INSTANCE_ID = 0x42;
const TAG = 0x4a;
const EVENT = 0x52;

/**
 * Scans an encoded EnvelopeBatch. Returns whether it is well-formed; if it is not, `into` is empty
 * and its `mistake` says which envelope, and where, it could not be read.
 */
export function scanBatch(bytes: Buffer, into: Batch): boolean {
  into.restart(bytes);
  const end = bytes.length;
  for (let at = 0; at < end; ) {
    const frameStart = at;
    at = readTag(bytes, at, end);
    if (at !== MALFORMED && wire.value === FRAME) {
      at = scanFrame(bytes, frameStart, readLength(bytes, at, end), into);
    } else if (at !== MALFORMED) {
      at = passUnknown(bytes, at, end, wire.value, 0);
    }
    if (at === MALFORMED) return refuse(into, frameStart);
  }
  return true;
}

/** Scans one bare Envelope. On success `into` is a batch of one, whose bytes are a framed copy. */
export function scanEnvelope(bytes: Buffer, into: Batch): boolean {
  return scanBatch(PackedBatch.of(bytes).bytes, into);
}

function refuse(into: Batch, offset: number): false {
  into.mistake = `malformed EnvelopeBatch: envelope ${into.count}, at byte ${offset} of ${into.bytes.length}`;
  into.count = 0;
  into.kinds = 0;
  return false;
}

function scanFrame(bytes: Buffer, frameStart: number, start: number, into: Batch): number {
  if (start === MALFORMED) return MALFORMED;
  const end = start + wire.value;
  if (into.count === into.capacity) into.grow();

  const row = into.count;
  clear(into, row);
  into.frameStart[row] = frameStart;
  into.start[row] = start;
  into.end[row] = end;
  if (scanFields(bytes, start, end, into, row) === MALFORMED) return MALFORMED;

  into.kinds |= 1 << (into.kind[row] as number);
  into.count = row + 1;
  return end;
}

function clear(into: Batch, row: number): void {
  into.sourceStart[row] = 0;
  into.sourceEnd[row] = 0;
  into.sourceHash[row] = EMPTY_HASH;
  into.instanceStart[row] = 0;
  into.instanceEnd[row] = 0;
  into.nameStart[row] = 0;
  into.nameEnd[row] = 0;
  into.bodyStart[row] = 0;
  into.bodyEnd[row] = 0;
  into.timeLow[row] = 0;
  into.timeHigh[row] = 0;
  into.kind[row] = Kind.none;
}

function scanFields(bytes: Buffer, start: number, end: number, into: Batch, row: number): number {
  let at = start;
  while (at < end) {
    at = readTag(bytes, at, end);
    if (at === MALFORMED) return MALFORMED;
    const tag = wire.value;
    if (tag === TIMESTAMP) at = scanTimestamp(bytes, at, end, into, row);
    else if ((tag & 7) === 2) at = scanLengthDelimited(bytes, at, end, tag, into, row);
    else at = passUnknown(bytes, at, end, tag, 1);
    if (at === MALFORMED) return MALFORMED;
  }
  return at;
}

function scanLengthDelimited(
  bytes: Buffer,
  at: number,
  limit: number,
  tag: number,
  into: Batch,
  row: number,
): number {
  const start = readLength(bytes, at, limit);
  if (start === MALFORMED) return MALFORMED;
  const end = start + wire.value;
  let sound = true;

  switch (tag) {
    case TAG:
      sound = scanTag(bytes, start, end);
      break;
    case SOURCE_ID:
      sound = isUtf8(bytes, start, end);
      into.sourceStart[row] = start;
      into.sourceEnd[row] = end;
      into.sourceHash[row] = hashBytes(bytes, start, end);
      break;
    case INSTANCE_ID:
      sound = isUtf8(bytes, start, end);
      into.instanceStart[row] = start;
      into.instanceEnd[row] = end;
      break;
    case LOG:
      sound = scanLog(bytes, start, end);
      beginBody(into, row, Kind.log, start, end);
      break;
    case COUNTER:
      beginBody(into, row, Kind.counter, start, end);
      sound = scanNamed(bytes, start, end, into, row);
      break;
    case GAUGE:
      beginBody(into, row, Kind.gauge, start, end);
      sound = scanGauge(bytes, start, end, into, row);
      break;
    case TIMER:
      beginBody(into, row, Kind.timer, start, end);
      sound = scanNamed(bytes, start, end, into, row);
      break;
    case EVENT:
      beginBody(into, row, Kind.event, start, end);
      sound = scanEvent(bytes, start, end, into, row);
      break;
    case DEPRECATED_TAG:
      sound = scanValueTag(bytes, start, end);
      break;
    default:
      sound = tag >>> 3 !== 0;
  }
  return sound ? end : MALFORMED;
}

function beginBody(into: Batch, row: number, kind: Kind, start: number, end: number): void {
  into.kind[row] = kind;
  into.bodyStart[row] = start;
  into.bodyEnd[row] = end;
  into.nameStart[row] = 0;
  into.nameEnd[row] = 0;
}

/** A varint of up to ten bytes, kept as two words: the common one has nine. */
function scanTimestamp(bytes: Buffer, at: number, end: number, into: Batch, row: number): number {
  let low = 0;
  let high = 0;
  for (let index = 0; index < 10 && at + index < end; index += 1) {
    const byte = bytes[at + index] as number;
    const bits = byte & 0x7f;
    if (index < 4) low |= bits << (7 * index);
    else if (index === 4) {
      low |= bits << 28;
      high = bits >>> 4;
    } else high |= bits << (7 * index - 32);
    if (byte < 0x80) {
      into.timeLow[row] = low;
      into.timeHigh[row] = high;
      return at + index + 1;
    }
  }
  return MALFORMED;
}
