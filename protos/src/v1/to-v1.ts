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
 * field that v1 requires becomes nothing, since no Go peer could read it: a log with an empty
 * payload, a timer without a request id. A batch is converted once, however many subscribe to v1.
 *
 * One gauge becomes as many envelopes as it has metrics, each with all its tags. So there is a
 * limit on the bytes that one batch may become; what is beyond is left out and counted in `dropped`.
 *
 * Hot: no object and no string for an envelope without deprecated tags. The length of each message
 * is worked out before it is written; to-v1.bench.ts has the figures.
 */

import assert from 'node:assert/strict';
import type { Batch } from '../batch.ts';
import { hashBytes } from '../byte-map.ts';
import { EnvelopeField, EnvelopeParts } from '../envelope-parts.ts';
import { GaugeValueParts, LogParts, NamedParts } from '../message-parts.ts';
import { FRAME_TAG } from '../packed-batch.ts';
import { fieldSize, varint64Size, WireWriter } from '../wire-writer.ts';
import { ContainerMetric } from './container-metric.ts';
import { fieldsOf, flattenTags } from './flatten-tags.ts';
import { HttpStartStop } from './http-start-stop.ts';
import { ParsedInteger } from './parse-integer.ts';
import { TagFields } from './tag-fields.ts';
import { Slot } from './tag-slots.ts';
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
  readonly #parts = new EnvelopeParts();
  readonly #tags = new TagFields();
  readonly #log = new LogParts();
  readonly #counter = new NamedParts();
  readonly #gaugeValue = new GaugeValueParts();
  readonly #container = new ContainerMetric();
  readonly #http = new HttpStartStop();
  readonly #code = new ParsedInteger();
  readonly #uuid = Buffer.alloc(UUID_BYTES);
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
    const parts = this.#parts;
    // The row exists, so the columns have its bounds.
    parts.read(batch.bytes, batch.start[index] as number, batch.end[index] as number);
    if (parts.deprecatedTags.count > 0) {
      const flat = flattenTags(parts);
      parts.read(flat, 0, flat.length);
    }
    switch (parts.message) {
      case EnvelopeField.log:
        this.#addLog(parts, batch.sourceHash[index] as number);
        break;
      case EnvelopeField.counter:
        this.#addCounter(parts);
        break;
      case EnvelopeField.gauge:
        this.#addGauge(parts, batch.sourceHash[index] as number);
        break;
      case EnvelopeField.timer:
        this.#addTimer(parts);
        break;
    }
    return this.#batch.count - before;
  }

  #addLog(parts: EnvelopeParts, sourceHash: number): void {
    const { bytes } = parts;
    const log = this.#log.read(bytes, parts.bodyStart, parts.bodyEnd);
    const tags = this.#tags.read(parts, fieldsOf(parts.message, false), { isMetric: false });
    if (tags.is(Slot.__v1_type, ERROR_TYPE)) {
      this.#addError(parts);
      return;
    }
    if (log.payloadEnd === log.payloadStart) return;
    const sourceType = tags.end(Slot.source_type) - tags.start(Slot.source_type);
    const size =
      fieldSize(log.payloadEnd - log.payloadStart) +
      2 +
      1 +
      varint64Size(parts.timeHigh, parts.timeLow) +
      fieldSize(parts.sourceEnd - parts.sourceStart) +
      fieldSize(sourceType) +
      fieldSize(parts.instanceEnd - parts.instanceStart);
    if (!this.#open(LOG_MESSAGE, size)) return;
    const wire = this.#wire;
    wire.field(0x0a, bytes, log.payloadStart, log.payloadEnd);
    wire.byte(0x10);
    wire.byte(log.type === 0 ? 1 : 2); // OUT, and ERR for everything else.
    wire.byte(0x18);
    wire.varint64(parts.timeHigh, parts.timeLow);
    wire.field(0x22, bytes, parts.sourceStart, parts.sourceEnd);
    wire.field(0x2a, bytes, tags.start(Slot.source_type), tags.end(Slot.source_type));
    wire.field(0x32, bytes, parts.instanceStart, parts.instanceEnd);
    this.#close(true);
    this.#batch.route(bytes, parts.sourceStart, parts.sourceEnd, sourceHash);
  }

  #addError(parts: EnvelopeParts): void {
    const { bytes } = parts;
    const log = this.#log;
    const tags = this.#tags.read(parts, fieldsOf(parts.message, true), { isMetric: false });
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

  #addCounter(parts: EnvelopeParts): void {
    const counter = this.#counter.read(parts.bytes, parts.bodyStart, parts.bodyEnd);
    this.#tags.read(parts, fieldsOf(parts.message, false), { isMetric: true });
    const size =
      fieldSize(counter.nameEnd - counter.nameStart) +
      1 +
      varint64Size(counter.secondHigh, counter.secondLow) +
      1 +
      varint64Size(counter.thirdHigh, counter.thirdLow);
    if (!this.#open(COUNTER_EVENT, size)) return;
    const wire = this.#wire;
    wire.field(0x0a, parts.bytes, counter.nameStart, counter.nameEnd);
    wire.byte(0x10);
    wire.varint64(counter.secondHigh, counter.secondLow);
    wire.byte(0x18);
    wire.varint64(counter.thirdHigh, counter.thirdLow);
    this.#close(false);
  }

  #addGauge(parts: EnvelopeParts, sourceHash: number): void {
    const isContainer = this.#container.read(parts);
    this.#tags.read(parts, fieldsOf(parts.message, false), { isMetric: !isContainer });
    if (isContainer) {
      if (!this.#open(CONTAINER_METRIC, this.#container.size)) return;
      this.#container.write(this.#wire, parts);
      this.#close(false);
      this.#batch.route(parts.bytes, parts.sourceStart, parts.sourceEnd, sourceHash);
      return;
    }
    const { metrics } = parts;
    const count = metrics.sort(parts.bytes);
    for (let place = 0; place < count; place += 1) {
      this.#addValue(parts, metrics.order[place] as number);
    }
  }

  #addValue({ bytes, metrics }: EnvelopeParts, entry: number): void {
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

  #addTimer(parts: EnvelopeParts): void {
    const http = this.#http;
    const tags = this.#tags.read(parts, fieldsOf(parts.message, false), { isMetric: false });
    if (!http.read(parts, tags) || !this.#open(HTTP_START_STOP, http.size)) return;
    http.write(this.#wire, tags);
    this.#close(false);
    if (!http.hasApplicationId) return;
    http.applicationId.write(this.#uuid, 0);
    this.#batch.route(this.#uuid, 0, UUID_BYTES, hashBytes(this.#uuid, 0, UUID_BYTES));
  }

  /** Writes what stands before the body; false, counted, when the batch is too large already. */
  #open(kind: { type: number; body: number }, bodySize: number): boolean {
    const { timeHigh, timeLow } = this.#parts;
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
    const wire = this.#wire;
    const frameSize = fieldSize(size);
    if (wire.byteLength + frameSize > V1_BYTES_MAX) {
      this.#batch.dropped += 1;
      return false;
    }
    wire.reserve(frameSize);
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
}
