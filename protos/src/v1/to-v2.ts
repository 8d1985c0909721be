/**
 * v1 envelopes as v2 ones with preferred tags, from bytes to bytes.
 *
 *     LogMessage      ─▶ Log                Error           ─▶ Log, with tags source and code
 *     CounterEvent    ─▶ Counter            HttpStartStop   ─▶ Timer `http`, with ten tags
 *     ValueMetric     ─▶ Gauge of one       ContainerMetric ─▶ Gauge of five
 *
 * The rules are go-loggregator v10's, which Doppler v107.0.21 uses. The event type alone decides: a
 * body of another kind is ignored, and one that is missing counts as empty. An unknown event type
 * becomes nothing. What v2 has no field for becomes a tag; origin, deployment, job, index and ip
 * are always there, even if empty. Strings that are not UTF-8 are repaired.
 *
 * Hot where agents still send v1: reused; per envelope it makes a few small views and no strings.
 */

import { events } from '../../gen/messages.js';
import type { BatchBuilder } from '../builder.ts';
import { joinDouble } from '../decimal.ts';
import { repairText } from './repair-text.ts';
import { FIELDS_OF, NO_SLOT, Slot, slotOf, slotSet } from './tag-slots.ts';
import { Uuid } from './uuid.ts';
import { type V1Fields, V1Parts } from './v1-parts.ts';
import { EventType } from './v1-shapes.ts';
import { metricSize, NamedField, V2Writer } from './v2-writer.ts';

const EVENT_TYPES: ReadonlyMap<number, Buffer> = namesOf(events.Envelope.EventType);
const METHODS: ReadonlyMap<number, Buffer> = namesOf(events.Method);
const PEER_TYPES: ReadonlyMap<number, Buffer> = namesOf(events.PeerType);

/** The fields that envelopes of all kinds have as tags. */
const COMMON = textsOf([1, 'origin'], [13, 'deployment'], [14, 'job'], [15, 'index'], [16, 'ip']);
const LOG_TEXTS = textsOf([5, 'source_type']);
const ERROR_TEXTS = textsOf([1, 'source']);
const HTTP_TEXTS = textsOf(
  [6, 'uri'],
  [7, 'remote_address'],
  [8, 'user_agent'],
  [14, 'routing_instance_id'],
);

const V1_TYPE = Buffer.from('__v1_type');
const CODE = Buffer.from('code');
const REQUEST_ID = Buffer.from('request_id');
const PEER_TYPE = Buffer.from('peer_type');
const METHOD = Buffer.from('method');
const STATUS_CODE = Buffer.from('status_code');
const CONTENT_LENGTH = Buffer.from('content_length');
const FORWARDED = Buffer.from('forwarded');

const TIMER_NAME = Buffer.from('http');
const PERCENTAGE = Buffer.from('percentage');
const BYTES = Buffer.from('bytes');
const SLASH = Buffer.from('/');
const NEWLINE = Buffer.from('\n');

/** The metrics that a ContainerMetric becomes, and the fields they come from. */
const CPU_FIELD = 3;
const CONTAINER_METRICS = [
  { field: CPU_FIELD, name: Buffer.from('cpu'), unit: PERCENTAGE },
  { field: 4, name: Buffer.from('memory'), unit: BYTES },
  { field: 5, name: Buffer.from('disk'), unit: BYTES },
  { field: 6, name: Buffer.from('memory_quota'), unit: BYTES },
  { field: 7, name: Buffer.from('disk_quota'), unit: BYTES },
];
const CONTAINER_SIZE = CONTAINER_METRICS.reduce(
  (size, { name, unit }) => size + metricSize(name, unit),
  0,
);

/** Room for what is not in the v1 envelope: names, lengths and numbers. */
const EXTRA_BYTES = 2048;

const SOURCE_ID_TAG = slotSet('source_id');
const INSTANCE_ID_TAG = slotSet('instance_id');

export class ToV2 {
  readonly #writer = new V2Writer();
  readonly #repaired = new V1Parts();
  readonly #uuid = new Uuid();
  readonly #uuidText = Buffer.alloc(36);
  /** The envelope that is being converted, and the values of two of its tags. */
  #parts: V1Parts = this.#repaired;
  #hasSourceTag = false;
  #sourceStart = 0;
  #sourceEnd = 0;
  #instanceStart = 0;
  #instanceEnd = 0;

  /** Adds what an envelope that was read becomes; false when it becomes nothing. */
  add(parts: V1Parts, builder: BatchBuilder): boolean {
    this.#parts = parts.hasBrokenText ? this.#repair(parts) : parts;
    const { envelope, start, end } = this.#parts;
    const type = at(envelope.low, 2);
    const typeName = EVENT_TYPES.get(type);
    if (typeName === undefined) return false;

    // Every slice goes out twice at most: as itself, and in an id that is made of it.
    this.#writer.begin((end - start) * 2 + EXTRA_BYTES);
    this.#writer.timestamp(at(envelope.high, 6), at(envelope.low, 6));
    this.#textTags(COMMON, envelope);
    this.#writer.tag(V1_TYPE, typeName, 0, typeName.length);
    this.#message(type);
    this.#writer.finish(builder);
    return true;
  }

  #repair({ bytes, start, end }: V1Parts): V1Parts {
    const sound = repairText(bytes, start, end);
    this.#repaired.read(sound, 0, sound.length);
    return this.#repaired;
  }

  #message(type: number): void {
    if (type === EventType.logMessage) this.#log();
    else if (type === EventType.httpStartStop) this.#http();
    else if (type === EventType.valueMetric) this.#value();
    else if (type === EventType.counterEvent) this.#counter();
    else if (type === EventType.containerMetric) this.#container();
    else this.#error();
  }

  #log(): void {
    const { bytes, log } = this.#parts;
    this.#otherTags(FIELDS_OF.log);
    this.#textTags(LOG_TEXTS, log);
    this.#sourceId(bytes, at(log.start, 4), at(log.end, 4));
    this.#writer.instanceId(bytes, at(log.start, 6), at(log.end, 6));
    const isOut = !log.has(2) || log.low[2] === events.LogMessage.MessageType.OUT;
    this.#writer.log(bytes, at(log.start, 1), at(log.end, 1), isOut);
  }

  #error(): void {
    const { bytes, error } = this.#parts;
    this.#otherTags(FIELDS_OF.error);
    this.#textTags(ERROR_TEXTS, error);
    this.#writer.numberTag(CODE, at(error.low, 2) >> 31, at(error.low, 2));
    this.#sourceId(bytes, 0, 0);
    this.#writer.log(bytes, at(error.start, 3), at(error.end, 3), true);
  }

  #http(): void {
    const { http, requestId, applicationId } = this.#parts;
    const text = this.#uuidText;
    this.#otherTags(FIELDS_OF.http);
    this.#textTags(HTTP_TEXTS, http);
    this.#writer.tag(REQUEST_ID, text, 0, this.#uuid.from(requestId).write(text, 0));
    this.#nameTag(PEER_TYPE, PEER_TYPES, http, 4);
    this.#nameTag(METHOD, METHODS, http, 5);
    this.#writer.numberTag(STATUS_CODE, at(http.low, 9) >> 31, at(http.low, 9));
    this.#writer.numberTag(CONTENT_LENGTH, at(http.high, 10), at(http.low, 10));
    this.#forwardedTag();

    const app = this.#uuid.from(applicationId);
    this.#sourceId(text, 0, app.isZero ? 0 : app.write(text, 0));
    this.#writer.numericInstanceId(at(http.low, 13));
    this.#writer.named(NamedField.timer, TIMER_NAME, [
      at(http.high, 1),
      at(http.low, 1),
      at(http.high, 2),
      at(http.low, 2),
    ]);
  }

  #counter(): void {
    const { bytes, counter } = this.#parts;
    this.#otherTags(FIELDS_OF.metric | INSTANCE_ID_TAG);
    this.#sourceId(bytes, 0, 0);
    this.#writer.instanceId(bytes, this.#instanceStart, this.#instanceEnd);
    this.#writer.named(NamedField.counter, bytes.subarray(counter.start[1], counter.end[1]), [
      at(counter.high, 2),
      at(counter.low, 2),
      at(counter.high, 3),
      at(counter.low, 3),
    ]);
  }

  #value(): void {
    const { bytes, value } = this.#parts;
    this.#otherTags(FIELDS_OF.metric);
    this.#sourceId(bytes, 0, 0);
    this.#writer.instanceId(bytes, this.#instanceStart, this.#instanceEnd);
    const name = bytes.subarray(value.start[1], value.end[1]);
    const unit = bytes.subarray(value.start[3], value.end[3]);
    this.#writer.gaugeHead(metricSize(name, unit));
    this.#writer.metric(name, unit, joinDouble(at(value.high, 2), at(value.low, 2)));
  }

  #container(): void {
    const { bytes, container } = this.#parts;
    this.#otherTags(FIELDS_OF.metric);
    this.#sourceId(bytes, at(container.start, 1), at(container.end, 1));
    this.#writer.numericInstanceId(at(container.low, 2));
    this.#writer.gaugeHead(CONTAINER_SIZE);
    for (const { field, name, unit } of CONTAINER_METRICS) {
      const high = at(container.high, field);
      const low = at(container.low, field);
      const value = field === CPU_FIELD ? joinDouble(high, low) : high * 2 ** 32 + low;
      this.#writer.metric(name, unit, value);
    }
  }

  /** Copies the tags that nothing overwrites, and notes the two that can be ids. */
  #otherTags(taken: number): void {
    const { bytes, tags } = this.#parts;
    const removed = taken | SOURCE_ID_TAG;
    this.#hasSourceTag = false;
    this.#instanceStart = 0;
    this.#instanceEnd = 0;
    for (let entry = 0; entry < tags.count; entry += 1) {
      const slot = slotOf(bytes, at(tags.keyStart, entry), at(tags.keyEnd, entry));
      if (slot === Slot.source_id) {
        this.#hasSourceTag = true;
        this.#sourceStart = at(tags.valueStart, entry);
        this.#sourceEnd = at(tags.valueEnd, entry);
      } else if (slot === Slot.instance_id) {
        this.#instanceStart = at(tags.valueStart, entry);
        this.#instanceEnd = at(tags.valueEnd, entry);
      }
      if (slot !== NO_SLOT && (removed & (1 << slot)) !== 0) continue;
      this.#writer.tagEntry(bytes, at(tags.entryStart, entry), at(tags.entryEnd, entry));
    }
  }

  /** The source id is the app's, or the tag `source_id`, or else `DEPLOYMENT/JOB`. */
  #sourceId(app: Uint8Array, start: number, end: number): void {
    const { bytes, envelope } = this.#parts;
    if (end > start) this.#writer.sourceId(app, start, end);
    else if (this.#hasSourceTag) {
      this.#writer.sourceId(bytes, this.#sourceStart, this.#sourceEnd);
    } else {
      const deployment = bytes.subarray(envelope.start[13], envelope.end[13]);
      const job = bytes.subarray(envelope.start[14], envelope.end[14]);
      const both = Buffer.concat([deployment, SLASH, job]);
      this.#writer.sourceId(both, 0, both.length);
    }
  }

  #textTags(texts: readonly Text[], fields: V1Fields): void {
    const { bytes } = this.#parts;
    for (const { field, key } of texts) {
      this.#writer.tag(key, bytes, at(fields.start, field), at(fields.end, field));
    }
  }

  /** The name of an enum's value: the first of the enum when it is not set. */
  #nameTag(key: Buffer, names: ReadonlyMap<number, Buffer>, fields: V1Fields, field: number): void {
    const number = fields.has(field) ? at(fields.low, field) : 1;
    const name = names.get(number);
    if (name) this.#writer.tag(key, name, 0, name.length);
    else this.#writer.numberTag(key, number >> 31, number);
  }

  #forwardedTag(): void {
    const { bytes, forwarded } = this.#parts;
    let length = Math.max(0, forwarded.length / 2 - 1);
    for (let index = 0; index < forwarded.length; index += 2) {
      length += (forwarded[index + 1] as number) - (forwarded[index] as number);
    }
    this.#writer.tagHead(FORWARDED, length);
    for (let index = 0; index < forwarded.length; index += 2) {
      if (index > 0) this.#writer.piece(NEWLINE, 0, 1);
      this.#writer.piece(bytes, forwarded[index] as number, forwarded[index + 1] as number);
    }
  }
}

interface Text {
  readonly field: number;
  readonly key: Buffer;
}

function textsOf(...texts: readonly (readonly [number, string])[]): Text[] {
  return texts.map(([field, key]) => ({ field, key: Buffer.from(key) }));
}

/** The names of an enum by its numbers. */
function namesOf(numbers: object): Map<number, Buffer> {
  const names = new Map<number, Buffer>();
  for (const [name, number] of Object.entries(numbers)) {
    if (typeof number === 'number') names.set(number, Buffer.from(name));
  }
  return names;
}

/** The value of a column at an index that is below its length. */
function at(column: Int32Array | Uint32Array, index: number): number {
  return column[index] as number;
}
