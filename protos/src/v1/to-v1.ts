/**
 * v2 envelopes as v1 ones, from bytes to bytes.
 *
 *     v2 Log      ─▶ LogMessage, or Error where the tag __v1_type says so
 *     v2 Counter  ─▶ CounterEvent
 *     v2 Gauge    ─▶ ContainerMetric, or a ValueMetric for each metric
 *     v2 Timer    ─▶ HttpStartStop
 *     v2 Event, or no message ─▶ nothing
 *
 * The rules are go-loggregator v10's, which Doppler v107.0.21 uses. An envelope that would lack a
 * field that v1 requires becomes nothing, since no Go peer could read it: a log without payload, a
 * timer without request id. A batch is converted once, however many subscribe to v1.
 *
 * One gauge becomes as many envelopes as it has metrics, each with all its tags. So the bytes that
 * one batch may become have a limit; what is beyond is left out and counted in `dropped`.
 *
 * Hot: no object and no string for a plain envelope, which nearly all are (tag-fields.ts); a log whose
 * like came before is mostly a copy (remembered-log.ts). to-v1.bench.ts has the figures.
 */

import assert from 'node:assert/strict';
import { Batch, Kind } from '../batch.ts';
import { hashBytes } from '../byte-map.ts';
import { FieldReader } from '../fields.ts';
import { LogMemo } from '../log-memo.ts';
import { MapEntries } from '../map-entries.ts';
import { GaugeValueParts, LogParts, NamedParts } from '../message-parts.ts';
import { FRAME_TAG } from '../packed-batch.ts';
import { scanEnvelope } from '../scan.ts';
import { fieldSize, varint64Size, WireWriter } from '../wire-writer.ts';
import { ContainerMetric } from './container-metric.ts';
import { HttpStartStop } from './http-start-stop.ts';
import { ParsedInteger } from './parse-integer.ts';
import { plainEnvelope } from './plain-envelope.ts';
import { type LogPieces, LogSizes, writeRemembered } from './remembered-log.ts';
import { type Division, TagFields } from './tag-fields.ts';
import { FIELDS_OF, Slot } from './tag-slots.ts';
import { V1Batch } from './v1-batch.ts';

/** The most bytes that one batch may become: several times what a message may have. */
export const V1_BYTES_MAX: number = 64 * 1024 * 1024;

/** A kind of v1 envelope: its event type, and the tag of its body's field. */
const LOG_MESSAGE = { type: 5, body: 0x42 };
const VALUE_METRIC = { type: 6, body: 0x4a };
const COUNTER_EVENT = { type: 7, body: 0x52 };
const ERROR = { type: 8, body: 0x5a };
const CONTAINER_METRIC = { type: 9, body: 0x62 };
const HTTP_START_STOP = { type: 4, body: 0x3a };

/** What becomes of the tags of each kind. */
const LOG_DIVISION: Division = { fields: FIELDS_OF.log, isMetric: false };
const ERROR_DIVISION: Division = { fields: FIELDS_OF.error, isMetric: false };
const HTTP_DIVISION: Division = { fields: FIELDS_OF.http, isMetric: false };
const METRIC_DIVISION: Division = { fields: FIELDS_OF.metric, isMetric: true };
const CONTAINER_DIVISION: Division = { fields: FIELDS_OF.metric, isMetric: false };

/** The fields of events.Envelope around the body, by number and wire type. */
const ORIGIN = 0x0a;
const EVENT_TYPE = 0x10;
const TIMESTAMP = 0x30;
const DEPLOYMENT = 0x6a;
const JOB = 0x72;
const INDEX = 0x7a;
const IP_LOW = 0x82;
const IP_HIGH = 0x01;

const ERROR_TYPE = Buffer.from('Error');
const UUID_BYTES = 36;

export class ToV1 {
  readonly #batch = new V1Batch();
  readonly #wire = new WireWriter();
  readonly #tags = new TagFields();
  readonly #log = new LogParts();
  readonly #memo = new LogMemo<LogPieces>();
  readonly #sizes = new LogSizes();
  readonly #counter = new NamedParts();
  readonly #metrics = new MapEntries();
  readonly #metricFields = new FieldReader();
  readonly #gaugeValue = new GaugeValueParts();
  readonly #container = new ContainerMetric();
  readonly #http = new HttpStartStop();
  readonly #code = new ParsedInteger();
  readonly #uuid = Buffer.alloc(UUID_BYTES);
  /** An envelope that was not plain, as one that is. */
  readonly #plain = new Batch(1);
  /** The envelope that is being converted: the batch it is in, and its row. */
  #from: Batch = this.#plain;
  #row = 0;
  /** The envelope that is being written: where its frame and its content begin, and its length. */
  #frameStart = 0;
  #start = 0;
  #size = 0;

  /** Converts a scanned batch. What is returned is used again by the next call. */
  convert(batch: Batch): V1Batch {
    this.begin();
    for (let index = 0; index < batch.count; index += 1) this.add(batch, index);
    return this.finish();
  }

  /** Begins an empty v1 batch, to `add` to and to `finish`. */
  begin(): void {
    this.#batch.clear();
  }

  /** Hands over the v1 batch that was begun. */
  finish(): V1Batch {
    this.#batch.bytes = this.#wire.take();
    return this.#batch;
  }

  /** Adds what one envelope of a scanned batch becomes; returns how many v1 envelopes. */
  add(batch: Batch, index: number): number {
    const before = this.#batch.count;
    this.#from = batch;
    this.#row = index;
    if (!this.#isDone()) {
      // The row exists, so the columns have its bounds.
      const end = batch.end[index] as number;
      scanEnvelope(plainEnvelope(batch.bytes, batch.start[index] as number, end), this.#plain);
      this.#from = this.#plain;
      this.#row = 0;
      assert(this.#isDone(), 'an envelope that was made plain is plain');
    }
    return this.#batch.count - before;
  }

  /** Converts the envelope; false when it is not plain. */
  #isDone(): boolean {
    switch (this.#from.kind[this.#row]) {
      case Kind.log:
        return this.#addLog();
      case Kind.counter:
        return this.#addCounter();
      case Kind.gauge:
        return this.#addGauge();
      case Kind.timer:
        return this.#addTimer();
      default:
        return true;
    }
  }

  #addLog(): boolean {
    const from = this.#from;
    const known = this.#memo.find(from.bytes, this.#at(from.start), this.#at(from.end), this);
    if (known !== undefined) return this.#addRemembered(known);
    if (!this.#tags.read(from, this.#row, LOG_DIVISION)) return false;
    const { bytes } = from;
    const log = this.#log.read(bytes, this.#at(from.bodyStart), this.#at(from.bodyEnd));
    if (this.#tags.is(Slot.__v1_type, ERROR_TYPE)) {
      this.#addError();
      return true;
    }
    const payloadLength = log.payloadEnd - log.payloadStart;
    if (payloadLength === 0) return true;
    const sourceStart = this.#at(this.#from.sourceStart);
    const sourceEnd = this.#at(this.#from.sourceEnd);
    const instanceStart = this.#at(this.#from.instanceStart);
    const instanceEnd = this.#at(this.#from.instanceEnd);
    const timeHigh = this.#at(this.#from.timeHigh);
    const timeLow = this.#at(this.#from.timeLow);
    const size =
      fieldSize(payloadLength) +
      2 +
      1 +
      varint64Size(timeHigh, timeLow) +
      fieldSize(sourceEnd - sourceStart) +
      this.#fieldSize(Slot.source_type) +
      fieldSize(instanceEnd - instanceStart);
    if (!this.#open(LOG_MESSAGE, size)) return true;
    const wire = this.#wire;
    wire.field(0x0a, bytes, log.payloadStart, log.payloadEnd);
    wire.byte(0x10);
    wire.byte(log.type === 0 ? 1 : 2); // OUT, and ERR for everything else.
    wire.byte(0x18);
    wire.varint64(timeHigh, timeLow);
    const idsAt = wire.byteLength;
    wire.field(0x22, bytes, sourceStart, sourceEnd);
    this.#write(0x2a, Slot.source_type);
    wire.field(0x32, bytes, instanceStart, instanceEnd);
    const restAt = wire.byteLength;
    this.#close(true);
    if (this.#memo.wanted) this.#remember(idsAt, restAt);
    this.#batch.route(bytes, sourceStart, sourceEnd, this.#at(this.#from.sourceHash));
    return true;
  }

  #remember(idsAt: number, restAt: number): void {
    const wire = this.#wire;
    this.#memo.keep(this, {
      origin: wire.between(this.#start, this.#start + this.#fieldSize(Slot.origin)),
      ids: wire.between(idsAt, restAt),
      rest: wire.between(restAt, wire.byteLength),
    });
  }

  #addRemembered(known: LogPieces): true {
    const sizes = this.#sizes.of(this.#memo, known);
    if (sizes.payload === 0 || !this.#hasRoom(sizes.envelope)) return true;
    const from = this.#from;
    const wire = this.#wire;
    const frameStart = wire.byteLength;
    const start = writeRemembered(wire, from.bytes, this.#memo, known, sizes);
    const end = wire.byteLength;
    assert(end === start + sizes.envelope, 'an envelope is as long as its frame says');
    this.#batch.push(frameStart, start, end, true);
    const hash = this.#at(from.sourceHash);
    this.#batch.route(from.bytes, this.#at(from.sourceStart), this.#at(from.sourceEnd), hash);
    return true;
  }

  #addError(): void {
    const { bytes } = this.#from;
    const log = this.#log;
    const tags = this.#tags;
    tags.read(this.#from, this.#row, ERROR_DIVISION);
    const code = this.#code;
    code.parse64(bytes, tags.start(Slot.code), tags.end(Slot.code));
    const codeHigh = (code.low | 0) >> 31; // Beyond 32 bits it is cut off.
    const size =
      fieldSize(tags.end(Slot.source) - tags.start(Slot.source)) +
      1 +
      varint64Size(codeHigh, code.low) +
      fieldSize(log.payloadEnd - log.payloadStart);
    if (!this.#open(ERROR, size)) return;
    const wire = this.#wire;
    wire.field(0x0a, bytes, tags.start(Slot.source), tags.end(Slot.source));
    wire.byte(0x10);
    wire.varint64(codeHigh, code.low);
    wire.field(0x1a, bytes, log.payloadStart, log.payloadEnd);
    this.#close(false);
  }

  #addCounter(): boolean {
    if (!this.#tags.read(this.#from, this.#row, METRIC_DIVISION)) return false;
    const { bytes, bodyStart, bodyEnd } = this.#from;
    const counter = this.#counter.read(bytes, this.#at(bodyStart), this.#at(bodyEnd));
    const size =
      fieldSize(counter.nameEnd - counter.nameStart) +
      1 +
      varint64Size(counter.secondHigh, counter.secondLow) +
      1 +
      varint64Size(counter.thirdHigh, counter.thirdLow);
    if (!this.#open(COUNTER_EVENT, size)) return true;
    const wire = this.#wire;
    wire.field(0x0a, bytes, counter.nameStart, counter.nameEnd);
    wire.byte(0x10);
    wire.varint64(counter.secondHigh, counter.secondLow);
    wire.byte(0x18);
    wire.varint64(counter.thirdHigh, counter.thirdLow);
    this.#close(false);
    return true;
  }

  #addGauge(): boolean {
    const metrics = this.#metrics;
    this.#readMetrics();
    if (metrics.isSplit) return false;
    const { bytes } = this.#from;
    const isContainer = this.#container.read(bytes, metrics);
    const division = isContainer ? CONTAINER_DIVISION : METRIC_DIVISION;
    if (!this.#tags.read(this.#from, this.#row, division)) return false;
    if (isContainer) {
      this.#addContainer();
      return true;
    }
    const count = metrics.sort(bytes);
    for (let place = 0; place < count; place += 1) {
      this.#addValue(bytes, metrics.order[place] as number);
    }
    return true;
  }

  #addContainer(): void {
    const from = this.#from;
    this.#container.readOwner(from, this.#row, this.#metrics);
    if (!this.#open(CONTAINER_METRIC, this.#container.size)) return;
    this.#container.write(this.#wire, from, this.#row);
    this.#close(false);
    const sourceStart = this.#at(from.sourceStart);
    const hash = this.#at(from.sourceHash);
    this.#batch.route(from.bytes, sourceStart, this.#at(from.sourceEnd), hash);
  }

  #addValue(bytes: Uint8Array, entry: number): void {
    const metrics = this.#metrics;
    const nameStart = metrics.keyStart[entry] as number; // Entries in the order are below the count.
    const nameEnd = metrics.keyEnd[entry] as number;
    const from = metrics.valueStart[entry] as number;
    const value = this.#gaugeValue.read(bytes, from, metrics.valueEnd[entry] as number);
    const size = fieldSize(nameEnd - nameStart) + 9 + fieldSize(value.unitEnd - value.unitStart);
    if (!this.#open(VALUE_METRIC, size)) return;
    const wire = this.#wire;
    wire.field(0x0a, bytes, nameStart, nameEnd);
    wire.byte(0x11);
    wire.double(value.value);
    wire.field(0x1a, bytes, value.unitStart, value.unitEnd);
    this.#close(false);
  }

  #readMetrics(): void {
    const metrics = this.#metrics;
    metrics.clear();
    const { bytes, bodyStart, bodyEnd } = this.#from;
    const fields = this.#metricFields.over(bytes, this.#at(bodyStart), this.#at(bodyEnd));
    while (fields.next()) {
      if (fields.field === 1 && fields.wireType === 2) {
        metrics.add(bytes, fields.start, fields.end);
      }
    }
  }

  #addTimer(): boolean {
    const http = this.#http;
    const tags = this.#tags;
    if (!tags.read(this.#from, this.#row, HTTP_DIVISION)) return false;
    if (!http.read(this.#from, this.#row, tags)) return true;
    if (!this.#open(HTTP_START_STOP, http.size)) return true;
    http.write(this.#wire, tags);
    this.#close(false);
    if (!http.hasApplicationId) return true;
    http.applicationId.write(this.#uuid, 0);
    this.#batch.route(this.#uuid, 0, UUID_BYTES, hashBytes(this.#uuid, 0, UUID_BYTES));
    return true;
  }

  /** Writes what stands before the body; false, counted, when the batch is too large already. */
  #open(kind: { type: number; body: number }, bodySize: number): boolean {
    const timeHigh = this.#at(this.#from.timeHigh);
    const timeLow = this.#at(this.#from.timeLow);
    const size =
      this.#fieldSize(Slot.origin) +
      2 +
      1 +
      varint64Size(timeHigh, timeLow) +
      fieldSize(bodySize) +
      this.#fieldSize(Slot.deployment) +
      this.#fieldSize(Slot.job) +
      this.#fieldSize(Slot.index) +
      1 +
      this.#fieldSize(Slot.ip) +
      this.#tags.size;
    if (!this.#hasRoom(size)) return false;
    const wire = this.#wire;
    this.#size = size;
    this.#frameStart = wire.byteLength;
    wire.byte(FRAME_TAG);
    wire.varint(size);
    this.#start = wire.byteLength;
    this.#write(ORIGIN, Slot.origin);
    wire.byte(EVENT_TYPE);
    wire.byte(kind.type);
    wire.byte(TIMESTAMP);
    wire.varint64(timeHigh, timeLow);
    wire.byte(kind.body);
    wire.varint(bodySize);
    return true;
  }

  /** Makes room for a frame of this size; false, counted, when the batch is too large already. */
  #hasRoom(size: number): boolean {
    const frameSize = fieldSize(size);
    if (this.#wire.byteLength + frameSize > V1_BYTES_MAX) {
      this.#batch.dropped += 1;
      return false;
    }
    this.#wire.reserve(frameSize);
    return true;
  }

  /** Writes what stands behind the body, and adds the row. */
  #close(isLog: boolean): void {
    this.#write(DEPLOYMENT, Slot.deployment);
    this.#write(JOB, Slot.job);
    this.#write(INDEX, Slot.index);
    this.#wire.byte(IP_LOW);
    this.#write(IP_HIGH, Slot.ip);
    this.#tags.write(this.#wire);
    const end = this.#wire.byteLength;
    assert(end === this.#start + this.#size, 'an envelope is as long as its frame says');
    this.#batch.push(this.#frameStart, this.#start, end, isLog);
  }

  #write(tag: number, slot: number): void {
    const tags = this.#tags;
    this.#wire.field(tag, tags.bytes, tags.start(slot), tags.end(slot));
  }

  #fieldSize(slot: number): number {
    return fieldSize(this.#tags.end(slot) - this.#tags.start(slot));
  }

  /** The value of a column in the row that is being converted, which exists. */
  #at(column: Int32Array | Uint32Array): number {
    return column[this.#row] as number;
  }
}
