/**
 * Envelopes as canonical proto3 JSON, written straight from their bytes.
 *
 * It is the dialect of Log Cache's REST (log-cache-release v3.2.0) and of the RLP gateway
 * (Loggregator v107.0.21): fields in the order of declaration and under their proto names, zero
 * scalars printed, 64-bit integers as strings, payloads in base64, map keys sorted by code point,
 * doubles in shortest form, and the message that is not set left out. Blanks between tokens, which
 * Go's writer adds at random, are never written.
 *
 *     writer.raw('data: ').batch(bytes).raw('\n\n').take()
 *
 * What was taken is never written over. There is no limit here: the text of a batch is at most
 * about twelve times as long as its bytes.
 *
 * Hot: no object and no string for an envelope, but for doubles and long payloads; json.bench.ts
 * has the figures.
 */

import { EnvelopeField, EnvelopeParts } from './envelope-parts.ts';
import { FieldReader } from './fields.ts';
import { type ConstantText, constantText, JsonText } from './json-text.ts';
import { LogMemo } from './log-memo.ts';
import type { MapEntries } from './map-entries.ts';
import {
  EventParts,
  GaugeValueParts,
  LogParts,
  NamedParts,
  ValueMember,
  ValueParts,
} from './message-parts.ts';

const BATCH = constantText('{"batch":[');
const END_OF_BATCH = constantText(']}');
const TIMESTAMP = constantText('{"timestamp":"');
const SOURCE_ID = constantText('","source_id":');
const INSTANCE_ID = constantText(',"instance_id":');
const DEPRECATED_TAGS = constantText(',"deprecated_tags":{');
const TAGS = constantText('},"tags":{');
const LOG = constantText(',"log":{"payload":');
const TYPE = constantText(',"type":');
const OUT = constantText('"OUT"');
const ERR = constantText('"ERR"');
const COUNTER = constantText(',"counter":{"name":');
const DELTA = constantText(',"delta":"');
const TOTAL = constantText('","total":"');
const GAUGE = constantText(',"gauge":{"metrics":{');
const END_OF_GAUGE = constantText('}}');
const UNIT = constantText('{"unit":');
const VALUE = constantText(',"value":');
const TIMER = constantText(',"timer":{"name":');
const START = constantText(',"start":"');
const STOP = constantText('","stop":"');
const EVENT = constantText(',"event":{"title":');
const BODY = constantText(',"body":');
const TEXT = constantText('{"text":');
const INTEGER = constantText('{"integer":"');
const DECIMAL = constantText('{"decimal":');
const END_OF_INTEGER = constantText('"}');
const EMPTY = constantText('{}');
const COLON = 0x3a;
const COMMA = 0x2c;
const CLOSING_BRACE = 0x7d;

export class JsonWriter {
  readonly #text: JsonText;
  readonly #frames = new FieldReader();
  readonly #parts = new EnvelopeParts();
  readonly #log = new LogParts();
  /** Of each log, what stands between its time and its payload. */
  readonly #memo = new LogMemo<Buffer>();
  readonly #named = new NamedParts();
  readonly #event = new EventParts();
  readonly #value = new ValueParts();
  readonly #gaugeValue = new GaugeValueParts();
  /** The bytes of the envelope that is being written. */
  #bytes: Uint8Array = new Uint8Array(0);

  /** With the size of what is to be written, if it is known to be large or small. */
  constructor(sizeBytes?: number) {
    this.#text = new JsonText(sizeBytes);
  }

  /** How many bytes have been written since the last `take`. */
  get byteLength(): number {
    return this.#text.byteLength;
  }

  /** Hands over what was written, as UTF-8 that nothing writes over. */
  take(): Buffer {
    return this.#text.take();
  }

  /** Writes text as it is: what stands around the JSON. */
  raw(text: string): this {
    this.#text.raw(text);
    return this;
  }

  /** The same for text that never changes, which costs less. */
  constant(text: ConstantText): this {
    this.#text.constant(text);
    return this;
  }

  /** Writes a string in quotes. */
  string(text: string): this {
    this.#text.quoted(text);
    return this;
  }

  /** Writes the digits of a 64-bit integer. */
  integer(high: number, low: number): this {
    this.#text.signed(high, low);
    return this;
  }

  /** Writes an encoded EnvelopeBatch as `{"batch":[…]}`. A scan must have accepted the bytes. */
  batch(bytes: Uint8Array): this {
    this.#text.constant(BATCH);
    const frames = this.#frames.over(bytes, 0, bytes.length);
    let isFirst = true;
    while (frames.next()) {
      if (frames.field !== 1 || frames.wireType !== 2) continue;
      if (!isFirst) this.#text.byte(COMMA);
      isFirst = false;
      this.envelope(bytes, frames.start, frames.end);
    }
    this.#text.constant(END_OF_BATCH);
    return this;
  }

  /** Writes the bare envelope bytes[start, end) as an object. A scan must have accepted it. */
  envelope(bytes: Uint8Array, start: number, end: number): this {
    const known = this.#memo.find(bytes, start, end, this);
    if (known !== undefined) return this.#rememberedLog(bytes, known);
    const text = this.#text;
    const parts = this.#parts.read(bytes, start, end);
    this.#bytes = parts.bytes; // A copy of the envelope, if it was in pieces.
    text.from(parts.bytes);
    text.constant(TIMESTAMP);
    text.signed(parts.timeHigh, parts.timeLow);
    const afterTime = text.byteLength;
    text.constant(SOURCE_ID);
    text.string(parts.sourceStart, parts.sourceEnd);
    text.constant(INSTANCE_ID);
    text.string(parts.instanceStart, parts.instanceEnd);
    text.constant(DEPRECATED_TAGS);
    this.#writeDeprecatedTags(parts.deprecatedTags);
    text.constant(TAGS);
    this.#writeTags(parts.tags);
    text.byte(CLOSING_BRACE);
    if (parts.message === EnvelopeField.log) this.#writeLog(parts, afterTime);
    else this.#writeMessage(parts);
    text.byte(CLOSING_BRACE);
    return this;
  }

  /** Writes a log of which all but its own fields is known. */
  #rememberedLog(bytes: Uint8Array, known: Buffer): this {
    const text = this.#text;
    const { log, timeHigh, timeLow } = this.#memo;
    text.from(bytes);
    text.constant(TIMESTAMP);
    text.signed(timeHigh, timeLow);
    text.bytes(known);
    this.#writeLogFields(log);
    text.byte(CLOSING_BRACE);
    return this;
  }

  #writeMessage({ message, metrics, bodyStart, bodyEnd }: EnvelopeParts): void {
    if (message === EnvelopeField.counter) this.#writeCounter(bodyStart, bodyEnd);
    else if (message === EnvelopeField.gauge) this.#writeGauge(metrics);
    else if (message === EnvelopeField.timer) this.#writeTimer(bodyStart, bodyEnd);
    else if (message === EnvelopeField.event) this.#writeEvent(bodyStart, bodyEnd);
  }

  #writeTags(tags: MapEntries): void {
    const text = this.#text;
    const count = tags.sort(this.#bytes);
    for (let place = 0; place < count; place += 1) {
      const entry = tags.order[place] as number; // Below the count, like all entries in `order`.
      if (place > 0) text.byte(COMMA);
      text.pair(
        tags.keyStart[entry] as number,
        tags.keyEnd[entry] as number,
        tags.valueStart[entry] as number,
        tags.valueEnd[entry] as number,
      );
    }
  }

  #writeDeprecatedTags(tags: MapEntries): void {
    const count = tags.sort(this.#bytes);
    for (let place = 0; place < count; place += 1) {
      const entry = this.#writeKey(tags, place);
      this.#writeValue(tags.valueStart[entry] as number, tags.valueEnd[entry] as number);
    }
  }

  #writeGauge(metrics: MapEntries): void {
    const text = this.#text;
    text.constant(GAUGE);
    const count = metrics.sort(this.#bytes);
    for (let place = 0; place < count; place += 1) {
      const entry = this.#writeKey(metrics, place);
      const value = this.#gaugeValue.read(
        this.#bytes,
        metrics.valueStart[entry] as number,
        metrics.valueEnd[entry] as number,
      );
      text.constant(UNIT);
      text.string(value.unitStart, value.unitEnd);
      text.constant(VALUE);
      text.number(value.value);
      text.byte(CLOSING_BRACE);
    }
    text.constant(END_OF_GAUGE);
  }

  /** Writes the key that is at this place of a sorted map; returns its entry. */
  #writeKey(entries: MapEntries, place: number): number {
    const entry = entries.order[place] as number;
    if (place > 0) this.#text.byte(COMMA);
    this.#text.string(entries.keyStart[entry] as number, entries.keyEnd[entry] as number);
    this.#text.byte(COLON);
    return entry;
  }

  #writeValue(start: number, end: number): void {
    const text = this.#text;
    const value = this.#value.read(this.#bytes, start, end);
    if (value.member === ValueMember.text) {
      text.constant(TEXT);
      text.string(value.textStart, value.textEnd);
      text.byte(CLOSING_BRACE);
    } else if (value.member === ValueMember.integer) {
      text.constant(INTEGER);
      text.signed(value.integerHigh, value.integerLow);
      text.constant(END_OF_INTEGER);
    } else if (value.member === ValueMember.decimal) {
      text.constant(DECIMAL);
      text.number(value.decimal);
      text.byte(CLOSING_BRACE);
    } else text.constant(EMPTY);
  }

  #writeLog({ bodyStart, bodyEnd }: EnvelopeParts, afterTime: number): void {
    const text = this.#text;
    text.constant(LOG);
    if (this.#memo.wanted) this.#memo.keep(this, text.since(afterTime));
    this.#writeLogFields(this.#log.read(this.#bytes, bodyStart, bodyEnd));
  }

  #writeLogFields(log: LogParts): void {
    const text = this.#text;
    text.base64(log.payloadStart, log.payloadEnd);
    text.constant(TYPE);
    if (log.type === 0) text.constant(OUT);
    else if (log.type === 1) text.constant(ERR);
    else text.signed(log.type >> 31, log.type);
    text.byte(CLOSING_BRACE);
  }

  #writeCounter(start: number, end: number): void {
    const text = this.#text;
    const counter = this.#named.read(this.#bytes, start, end);
    text.constant(COUNTER);
    text.string(counter.nameStart, counter.nameEnd);
    text.constant(DELTA);
    text.unsigned(counter.secondHigh, counter.secondLow);
    text.constant(TOTAL);
    text.unsigned(counter.thirdHigh, counter.thirdLow);
    text.constant(END_OF_INTEGER);
  }

  #writeTimer(start: number, end: number): void {
    const text = this.#text;
    const timer = this.#named.read(this.#bytes, start, end);
    text.constant(TIMER);
    text.string(timer.nameStart, timer.nameEnd);
    text.constant(START);
    text.signed(timer.secondHigh, timer.secondLow);
    text.constant(STOP);
    text.signed(timer.thirdHigh, timer.thirdLow);
    text.constant(END_OF_INTEGER);
  }

  #writeEvent(start: number, end: number): void {
    const text = this.#text;
    const event = this.#event.read(this.#bytes, start, end);
    text.constant(EVENT);
    text.string(event.titleStart, event.titleEnd);
    text.constant(BODY);
    text.string(event.bodyStart, event.bodyEnd);
    text.byte(CLOSING_BRACE);
  }
}
