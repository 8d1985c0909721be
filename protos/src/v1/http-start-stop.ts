/**
 * The body of a v1 HttpStartStop, from a v2 timer: its times, and ten tags that become fields.
 *
 * A timer without a valid `request_id` has none, for v1 requires it; so timers of apps' own never
 * reach v1. What can't be parsed is 0, an unknown method or peer too, though v1 has no such value.
 *
 * Hot: reused, allocates nothing.
 */

import { events } from '../../gen/messages.js';
import type { Batch } from '../batch.ts';
import { ByteMap, hashBytes } from '../byte-map.ts';
import { NamedParts } from '../message-parts.ts';
import { fieldSize, varint64Size, type WireWriter } from '../wire-writer.ts';
import { ParsedInteger } from './parse-integer.ts';
import type { TagFields } from './tag-fields.ts';
import { Slot } from './tag-slots.ts';
import { Uuid } from './uuid.ts';

const NEWLINE = 0x0a;

/** The fields of events.HttpStartStop and events.UUID, by number and wire type. */
const START = 0x08;
const STOP = 0x10;
const REQUEST_ID = 0x1a;
const PEER_TYPE = 0x20;
const METHOD = 0x28;
const URI = 0x32;
const REMOTE_ADDRESS = 0x3a;
const USER_AGENT = 0x42;
const STATUS_CODE = 0x48;
const CONTENT_LENGTH = 0x50;
const APPLICATION_ID = 0x62;
const INSTANCE_INDEX = 0x68;
const INSTANCE_ID = 0x72;
const FORWARDED = 0x7a;
const UUID_LOW = 0x08;
const UUID_HIGH = 0x10;

const METHODS: ByteMap<number> = numbersOf(events.Method);
const PEER_TYPES: ByteMap<number> = numbersOf(events.PeerType);

export class HttpStartStop {
  /** How long the body becomes. */
  size = 0;
  /** Whether the source id is an app's, and which. */
  hasApplicationId = false;
  readonly applicationId: Uuid = new Uuid();

  #method = 0;
  #peerType = 0;
  readonly #timer = new NamedParts();
  readonly #requestId = new Uuid();
  readonly #statusCode = new ParsedInteger();
  readonly #contentLength = new ParsedInteger();
  readonly #instanceIndex = new ParsedInteger();

  /** Reads a timer of a scanned batch; false when it can't be put in v1. */
  read(batch: Batch, row: number, tags: TagFields): boolean {
    const { bytes } = batch;
    if (!this.#requestId.parse(bytes, tags.start(Slot.request_id), tags.end(Slot.request_id))) {
      return false;
    }
    this.#timer.read(bytes, inRow(batch.bodyStart, row), inRow(batch.bodyEnd, row));
    this.hasApplicationId = this.applicationId.parse(
      bytes,
      inRow(batch.sourceStart, row),
      inRow(batch.sourceEnd, row),
    );
    this.#method = numberIn(METHODS, tags, Slot.method);
    this.#peerType = numberIn(PEER_TYPES, tags, Slot.peer_type);
    this.#statusCode.parse64(bytes, tags.start(Slot.status_code), tags.end(Slot.status_code));
    // An int32 on the wire is sign-extended; what is beyond 32 bits is cut off.
    this.#statusCode.high = (this.#statusCode.low | 0) >> 31;
    const contentEnd = tags.end(Slot.content_length);
    this.#contentLength.parse64(bytes, tags.start(Slot.content_length), contentEnd);
    this.#instanceIndex.parse32(
      bytes,
      inRow(batch.instanceStart, row),
      inRow(batch.instanceEnd, row),
    );
    this.size = this.#sizeOf(tags);
    return true;
  }

  write(wire: WireWriter, tags: TagFields): void {
    writeInteger(wire, START, this.#timer.secondHigh, this.#timer.secondLow);
    writeInteger(wire, STOP, this.#timer.thirdHigh, this.#timer.thirdLow);
    writeUuid(wire, REQUEST_ID, this.#requestId);
    writeInteger(wire, PEER_TYPE, 0, this.#peerType);
    writeInteger(wire, METHOD, 0, this.#method);
    writeText(wire, URI, tags, Slot.uri);
    writeText(wire, REMOTE_ADDRESS, tags, Slot.remote_address);
    writeText(wire, USER_AGENT, tags, Slot.user_agent);
    writeInteger(wire, STATUS_CODE, this.#statusCode.high, this.#statusCode.low);
    writeInteger(wire, CONTENT_LENGTH, this.#contentLength.high, this.#contentLength.low);
    if (this.hasApplicationId) writeUuid(wire, APPLICATION_ID, this.applicationId);
    writeInteger(wire, INSTANCE_INDEX, this.#instanceIndex.high, this.#instanceIndex.low);
    writeText(wire, INSTANCE_ID, tags, Slot.routing_instance_id);
    forwardedLines(tags, wire);
  }

  #sizeOf(tags: TagFields): number {
    return (
      1 +
      varint64Size(this.#timer.secondHigh, this.#timer.secondLow) +
      1 +
      varint64Size(this.#timer.thirdHigh, this.#timer.thirdLow) +
      fieldSize(uuidSize(this.#requestId)) +
      4 + // The peer type and the method: all their numbers are below 128.
      textSize(tags, Slot.uri) +
      textSize(tags, Slot.remote_address) +
      textSize(tags, Slot.user_agent) +
      1 +
      varint64Size(this.#statusCode.high, this.#statusCode.low) +
      1 +
      varint64Size(this.#contentLength.high, this.#contentLength.low) +
      (this.hasApplicationId ? fieldSize(uuidSize(this.applicationId)) : 0) +
      1 +
      varint64Size(this.#instanceIndex.high, this.#instanceIndex.low) +
      textSize(tags, Slot.routing_instance_id) +
      forwardedLines(tags, undefined)
    );
  }
}

/** Writes each line of `forwarded`, if there is a writer; returns how long they become. */
function forwardedLines(tags: TagFields, wire: WireWriter | undefined): number {
  const { bytes } = tags;
  const end = tags.end(Slot.forwarded);
  let size = 0;
  let lineStart = tags.start(Slot.forwarded);
  for (let at = lineStart; at <= end; at += 1) {
    if (at < end && bytes[at] !== NEWLINE) continue;
    size += fieldSize(at - lineStart);
    wire?.field(FORWARDED, bytes, lineStart, at);
    lineStart = at + 1;
  }
  return size;
}

function writeInteger(wire: WireWriter, tag: number, high: number, low: number): void {
  wire.byte(tag);
  wire.varint64(high, low);
}

function writeText(wire: WireWriter, tag: number, tags: TagFields, slot: number): void {
  wire.field(tag, tags.bytes, tags.start(slot), tags.end(slot));
}

function writeUuid(wire: WireWriter, tag: number, uuid: Uuid): void {
  wire.byte(tag);
  wire.varint(uuidSize(uuid));
  writeInteger(wire, UUID_LOW, uuid.lowHigh, uuid.lowLow);
  writeInteger(wire, UUID_HIGH, uuid.highHigh, uuid.highLow);
}

function uuidSize(uuid: Uuid): number {
  return 2 + varint64Size(uuid.lowHigh, uuid.lowLow) + varint64Size(uuid.highHigh, uuid.highLow);
}

function textSize(tags: TagFields, slot: number): number {
  return fieldSize(tags.end(slot) - tags.start(slot));
}

function numberIn(numbers: ByteMap<number>, tags: TagFields, slot: number): number {
  const start = tags.start(slot);
  const end = tags.end(slot);
  return numbers.get(tags.bytes, start, end, hashBytes(tags.bytes, start, end)) ?? 0;
}

/** The numbers of an enum by its names. */
function numbersOf(names: object): ByteMap<number> {
  const numbers = new ByteMap<number>();
  for (const [name, number] of Object.entries(names)) {
    if (typeof number === 'number') numbers.setString(name, number);
  }
  return numbers;
}

/** The value of a column in a row that exists. */
function inRow(column: Int32Array, row: number): number {
  return column[row] as number;
}
