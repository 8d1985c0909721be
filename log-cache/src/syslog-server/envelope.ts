/**
 * Makes the envelope of a syslog message, byte by byte, as log-cache-release v3.2.0 understands it.
 *
 *     APP-NAME        source id                     [tags…]      tags
 *     PROCID          instance id: after its last `/`, without `[` and `]`
 *     TIMESTAMP       time; when it came, if it does not say
 *     [counter…], [gauge…], [timer…], [event…]      such an envelope, and the text is passed over
 *     MSG             else a log; of priority 11, an error's
 *
 * An element of another name, and a number that is none, make the whole message of no use: `mistake`
 * says why. Hot: one pass over the parameters, into bytes that are used again.
 */

import { encodeVarint64, splitTime } from '@standpipe/protos';
import { ABSENT, FieldWriter, fieldSize } from './field-writer.ts';
import { SyslogMessage } from './message.ts';
import { NumberText } from './number-text.ts';
import { trimText } from './trim-text.ts';

const TIMESTAMP = 0x08;
const SOURCE_ID = 0x12;
const LOG = 0x22;
const COUNTER = 0x2a;
const GAUGE = 0x32;
const TIMER = 0x3a;
const INSTANCE_ID = 0x42;
const TAG = 0x4a;
const EVENT = 0x52;
const FIELD_1 = 0x0a;
const FIELD_2 = 0x12;
const VARINT_2 = 0x10;
const VARINT_3 = 0x18;
const DOUBLE_2 = 0x11;

const OPEN = 0x5b;
const CLOSE = 0x5d;
const SLASH = 0x2f;

const PRIORITY_ERR = 11;
/** The field `type` of an error's log. */
const TYPE_ERR = Uint8Array.of(0x10, 1);

const COUNTER_ID = Buffer.from('counter');
const GAUGE_ID = Buffer.from('gauge');
const TIMER_ID = Buffer.from('timer');
const EVENT_ID = Buffer.from('event');
const TAGS_ID = Buffer.from('tags');
const NAME = Buffer.from('name');
const DELTA = Buffer.from('delta');
const TOTAL = Buffer.from('total');
const VALUE = Buffer.from('value');
const UNIT = Buffer.from('unit');
const START = Buffer.from('start');
const STOP = Buffer.from('stop');
const TITLE = Buffer.from('title');
const BODY = Buffer.from('body');

interface NamedNumbers {
  readonly first: Buffer;
  readonly second: Buffer;
  readonly signed: boolean;
}

const OF_COUNTER: NamedNumbers = { first: DELTA, second: TOTAL, signed: false };
const OF_TIMER: NamedNumbers = { first: START, second: STOP, signed: true };

export interface EnvelopeOptions {
  /** Take away white space around a log's text; else the one line feed at its end. */
  readonly trim: boolean;
  /** The time now, in nanoseconds since 1970. */
  readonly now: () => bigint;
}

export class SyslogEnvelope {
  /** Why the last message makes no envelope. */
  mistake = '';

  readonly #options: EnvelopeOptions;
  readonly #number = new NumberText();
  readonly #out = new FieldWriter();
  readonly #scratch: Buffer = Buffer.allocUnsafeSlow(32);
  #message: SyslogMessage = new SyslogMessage();
  readonly #text = { start: 0, end: 0 };

  constructor(options: EnvelopeOptions) {
    this.#options = options;
  }

  /** The bare envelope of a message: a view, valid until the next; undefined, if it makes none. */
  write(message: SyslogMessage): Buffer | undefined {
    this.#message = message;
    this.mistake = '';
    if (message.appNameStart === message.appNameEnd) {
      return this.#refuse('missing app name in syslog message');
    }
    if (message.processIdStart === message.processIdEnd) {
      return this.#refuse('missing proc ID in syslog message');
    }
    this.#out.begin(message);
    this.#writeHead(message);
    if (!this.#writeBody(message)) return undefined;
    this.#writeInstance(message);
    this.#writeTags(message);
    return this.#out.bytes;
  }

  #refuse(mistake: string): undefined {
    this.mistake = mistake;
    return undefined;
  }

  #writeHead(message: SyslogMessage): void {
    const { high, low } = message.hasTime ? message.time : splitTime(this.#options.now());
    this.#scratch[0] = TIMESTAMP;
    this.#out.raw(this.#scratch, encodeVarint64(this.#scratch, 1, high, low));
    this.#out.field(SOURCE_ID, message.bytes, message.appNameStart, message.appNameEnd);
  }

  /** Writes the message of the last element that makes one, else a log. */
  #writeBody(message: SyslogMessage): boolean {
    const { data } = message;
    let chosen = ABSENT;
    for (let element = 0; element < data.elementCount; element += 1) {
      if (this.#out.isElement(element, TAGS_ID)) continue;
      if (!this.#isMetric(element)) {
        const id = message.bytes.toString('latin1', data.idStart[element], data.idEnd[element]);
        this.mistake = `unknown envelope type for structured data: ${id}`;
        return false;
      }
      chosen = element;
    }
    if (chosen === ABSENT) return this.#writeLog(message);
    if (this.#out.isElement(chosen, COUNTER_ID))
      return this.#writeNamed(COUNTER, chosen, OF_COUNTER);
    if (this.#out.isElement(chosen, GAUGE_ID)) return this.#writeGauge(chosen);
    if (this.#out.isElement(chosen, TIMER_ID)) return this.#writeNamed(TIMER, chosen, OF_TIMER);
    this.#writeEvent(chosen);
    return true;
  }

  #isMetric(element: number): boolean {
    return (
      this.#out.isElement(element, COUNTER_ID) ||
      this.#out.isElement(element, GAUGE_ID) ||
      this.#out.isElement(element, TIMER_ID) ||
      this.#out.isElement(element, EVENT_ID)
    );
  }

  #writeLog(message: SyslogMessage): boolean {
    const text = this.#text;
    text.start = message.textStart;
    text.end = message.textEnd;
    if (text.start === text.end) {
      this.mistake = 'missing message data in syslog message';
      return false;
    }
    trimText(message.bytes, text, this.#options.trim);
    const isError = message.priority === PRIORITY_ERR;
    this.#out.head(LOG, fieldSize(text.end - text.start) + (isError ? TYPE_ERR.length : 0));
    this.#out.field(FIELD_1, message.bytes, text.start, text.end);
    if (!isError) return true;
    this.#out.raw(TYPE_ERR, TYPE_ERR.length);
    return true;
  }

  /** A counter or timer: its name, and two numbers. */
  #writeNamed(tag: number, element: number, numbers: NamedNumbers): boolean {
    const name = this.#out.param(element, NAME);
    const scratch = this.#scratch;
    scratch[0] = VARINT_2;
    let at = this.#encodeInteger(element, numbers.first, numbers.signed, 1);
    if (at === ABSENT) return false;
    scratch[at] = VARINT_3;
    at = this.#encodeInteger(element, numbers.second, numbers.signed, at + 1);
    if (at === ABSENT) return false;
    this.#out.head(tag, fieldSize(this.#out.sizeOf(name)) + at);
    this.#out.paramField(FIELD_1, name);
    this.#out.raw(scratch, at);
    return true;
  }

  /** Encodes a number into the scratch; returns where it ends, or ABSENT if it is none. */
  #encodeInteger(element: number, name: Buffer, signed: boolean, at: number): number {
    const { bytes, data } = this.#message;
    const param = this.#out.param(element, name);
    const start = param === ABSENT ? 0 : (data.valueStart[param] as number);
    const end = param === ABSENT ? 0 : (data.valueEnd[param] as number);
    const number = this.#number;
    const isNumber = signed
      ? number.readSigned(bytes, start, end)
      : number.readUnsigned(bytes, start, end);
    if (isNumber) return encodeVarint64(this.#scratch, at, number.high, number.low);
    this.mistake = `${name} is no number`;
    return ABSENT;
  }

  #writeGauge(element: number): boolean {
    const name = this.#out.param(element, NAME);
    const unit = this.#out.param(element, UNIT);
    const value = this.#out.param(element, VALUE);
    if (unit === ABSENT) {
      this.mistake = 'expected unit not found in gauge';
      return false;
    }
    const { bytes, data } = this.#message;
    const start = value === ABSENT ? 0 : (data.valueStart[value] as number);
    const end = value === ABSENT ? 0 : (data.valueEnd[value] as number);
    if (!this.#number.readFloat(bytes, start, end)) {
      this.mistake = 'value is no number';
      return false;
    }
    const valueSize = fieldSize(this.#out.sizeOf(unit)) + 9;
    const entrySize = fieldSize(this.#out.sizeOf(name)) + fieldSize(valueSize);
    this.#out.head(GAUGE, fieldSize(entrySize));
    this.#out.head(FIELD_1, entrySize);
    this.#out.paramField(FIELD_1, name);
    this.#out.head(FIELD_2, valueSize);
    this.#out.paramField(FIELD_1, unit);
    this.#out.double(DOUBLE_2, this.#number.float);
    return true;
  }

  #writeEvent(element: number): void {
    const title = this.#out.param(element, TITLE);
    const body = this.#out.param(element, BODY);
    this.#out.head(EVENT, fieldSize(this.#out.sizeOf(title)) + fieldSize(this.#out.sizeOf(body)));
    this.#out.paramField(FIELD_1, title);
    this.#out.paramField(FIELD_2, body);
  }

  #writeInstance({ bytes, processIdStart, processIdEnd }: SyslogMessage): void {
    let start = processIdStart;
    let end = processIdEnd;
    while (start < end && isBracket(bytes[start] as number)) start += 1;
    while (start < end && isBracket(bytes[end - 1] as number)) end -= 1;
    for (let at = start; at < end; at += 1) if (bytes[at] === SLASH) start = at + 1;
    this.#out.field(INSTANCE_ID, bytes, start, end);
  }

  #writeTags({ data, bytes }: SyslogMessage): void {
    for (let element = 0; element < data.elementCount; element += 1) {
      if (!this.#out.isElement(element, TAGS_ID)) continue;
      const paramsEnd = data.paramsEnd(element);
      for (let param = data.firstParam[element] as number; param < paramsEnd; param += 1) {
        const nameStart = data.nameStart[param] as number;
        const nameEnd = data.nameEnd[param] as number;
        this.#out.head(TAG, fieldSize(nameEnd - nameStart) + fieldSize(this.#out.sizeOf(param)));
        this.#out.field(FIELD_1, bytes, nameStart, nameEnd);
        this.#out.paramField(FIELD_2, param);
      }
    }
  }
}

function isBracket(byte: number): boolean {
  return byte === OPEN || byte === CLOSE;
}
