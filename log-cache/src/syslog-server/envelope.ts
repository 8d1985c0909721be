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

import { encodeVarint, encodeVarint64, splitTime, varintSize } from '@standpipe/protos';
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
const BACKSLASH = 0x5c;
const QUOTE = 0x22;

const PRIORITY_ERR = 11;
const LOG_TYPE_ERR = 1;

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

/** Parameters that an element has not, as the empty text. */
const ABSENT = -1;
/** What a field takes besides its bytes at most, three deep. */
const FIELD_ROOM = 32;

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
  #bytes: Buffer = Buffer.allocUnsafeSlow(4096);
  #at = 0;
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
    this.#reserve(message);
    this.#at = 0;
    this.#writeHead(message);
    if (!this.#writeBody(message)) return undefined;
    this.#writeInstance(message);
    this.#writeTags(message);
    return this.#bytes.subarray(0, this.#at);
  }

  #refuse(mistake: string): undefined {
    this.mistake = mistake;
    return undefined;
  }

  #writeHead(message: SyslogMessage): void {
    const { high, low } = message.hasTime ? message.time : splitTime(this.#options.now());
    this.#bytes[0] = TIMESTAMP;
    this.#at = encodeVarint64(this.#bytes, 1, high, low);
    this.#field(SOURCE_ID, message.bytes, message.appNameStart, message.appNameEnd);
  }

  /** Writes the message of the last element that makes one, else a log. */
  #writeBody(message: SyslogMessage): boolean {
    const { data } = message;
    let chosen = ABSENT;
    for (let element = 0; element < data.elementCount; element += 1) {
      if (this.#isElement(element, TAGS_ID)) continue;
      if (!this.#isMetric(element)) {
        const id = message.bytes.toString('latin1', data.idStart[element], data.idEnd[element]);
        this.mistake = `unknown envelope type for structured data: ${id}`;
        return false;
      }
      chosen = element;
    }
    if (chosen === ABSENT) return this.#writeLog(message);
    if (this.#isElement(chosen, COUNTER_ID)) return this.#writeNamed(COUNTER, chosen, OF_COUNTER);
    if (this.#isElement(chosen, GAUGE_ID)) return this.#writeGauge(chosen);
    if (this.#isElement(chosen, TIMER_ID)) return this.#writeNamed(TIMER, chosen, OF_TIMER);
    this.#writeEvent(chosen);
    return true;
  }

  #isMetric(element: number): boolean {
    return (
      this.#isElement(element, COUNTER_ID) ||
      this.#isElement(element, GAUGE_ID) ||
      this.#isElement(element, TIMER_ID) ||
      this.#isElement(element, EVENT_ID)
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
    this.#head(LOG, fieldSize(text.end - text.start) + (isError ? 2 : 0));
    this.#field(FIELD_1, message.bytes, text.start, text.end);
    if (!isError) return true;
    this.#bytes[this.#at] = VARINT_2;
    this.#bytes[this.#at + 1] = LOG_TYPE_ERR;
    this.#at += 2;
    return true;
  }

  /** A counter or timer: its name, and two numbers. */
  #writeNamed(tag: number, element: number, numbers: NamedNumbers): boolean {
    const name = this.#param(element, NAME);
    const scratch = this.#scratch;
    scratch[0] = VARINT_2;
    let at = this.#encodeInteger(element, numbers.first, numbers.signed, 1);
    if (at === ABSENT) return false;
    scratch[at] = VARINT_3;
    at = this.#encodeInteger(element, numbers.second, numbers.signed, at + 1);
    if (at === ABSENT) return false;
    this.#head(tag, fieldSize(this.#sizeOf(name)) + at);
    this.#paramField(FIELD_1, name);
    this.#bytes.set(scratch.subarray(0, at), this.#at);
    this.#at += at;
    return true;
  }

  /** Encodes a number into the scratch; returns where it ends, or ABSENT if it is none. */
  #encodeInteger(element: number, name: Buffer, signed: boolean, at: number): number {
    const { bytes, data } = this.#message;
    const param = this.#param(element, name);
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
    const name = this.#param(element, NAME);
    const unit = this.#param(element, UNIT);
    const value = this.#param(element, VALUE);
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
    const valueSize = fieldSize(this.#sizeOf(unit)) + 9;
    const entrySize = fieldSize(this.#sizeOf(name)) + fieldSize(valueSize);
    this.#head(GAUGE, fieldSize(entrySize));
    this.#head(FIELD_1, entrySize);
    this.#paramField(FIELD_1, name);
    this.#head(FIELD_2, valueSize);
    this.#paramField(FIELD_1, unit);
    this.#bytes[this.#at] = DOUBLE_2;
    this.#at = this.#bytes.writeDoubleLE(this.#number.float, this.#at + 1);
    return true;
  }

  #writeEvent(element: number): void {
    const title = this.#param(element, TITLE);
    const body = this.#param(element, BODY);
    this.#head(EVENT, fieldSize(this.#sizeOf(title)) + fieldSize(this.#sizeOf(body)));
    this.#paramField(FIELD_1, title);
    this.#paramField(FIELD_2, body);
  }

  #writeInstance({ bytes, processIdStart, processIdEnd }: SyslogMessage): void {
    let start = processIdStart;
    let end = processIdEnd;
    while (start < end && isBracket(bytes[start] as number)) start += 1;
    while (start < end && isBracket(bytes[end - 1] as number)) end -= 1;
    for (let at = start; at < end; at += 1) if (bytes[at] === SLASH) start = at + 1;
    this.#field(INSTANCE_ID, bytes, start, end);
  }

  #writeTags({ data, bytes }: SyslogMessage): void {
    for (let element = 0; element < data.elementCount; element += 1) {
      if (!this.#isElement(element, TAGS_ID)) continue;
      const paramsEnd = data.paramsEnd(element);
      for (let param = data.firstParam[element] as number; param < paramsEnd; param += 1) {
        const nameStart = data.nameStart[param] as number;
        const nameEnd = data.nameEnd[param] as number;
        this.#head(TAG, fieldSize(nameEnd - nameStart) + fieldSize(this.#sizeOf(param)));
        this.#field(FIELD_1, bytes, nameStart, nameEnd);
        this.#paramField(FIELD_2, param);
      }
    }
  }

  /** Whether an element's id begins like this. */
  #isElement(element: number, id: Buffer): boolean {
    const { bytes, data } = this.#message;
    const start = data.idStart[element] as number; // Below the count.
    if ((data.idEnd[element] as number) - start < id.length) return false;
    for (let at = 0; at < id.length; at += 1) if (bytes[start + at] !== id[at]) return false;
    return true;
  }

  /** An element's parameter of this name, the last of them, or ABSENT. */
  #param(element: number, name: Buffer): number {
    const { bytes, data } = this.#message;
    let found = ABSENT;
    const paramsEnd = data.paramsEnd(element);
    for (let param = data.firstParam[element] as number; param < paramsEnd; param += 1) {
      const start = data.nameStart[param] as number;
      if ((data.nameEnd[param] as number) - start !== name.length) continue;
      let length = 0;
      while (length < name.length && bytes[start + length] === name[length]) length += 1;
      if (length === name.length) found = param;
    }
    return found;
  }

  /** How long a parameter's value is without escapes. */
  #sizeOf(param: number): number {
    if (param === ABSENT) return 0;
    const { bytes, data } = this.#message;
    const end = data.valueEnd[param] as number;
    let at = data.valueStart[param] as number;
    let size = end - at;
    if (data.escaped[param] === 0) return size;
    for (; at < end; at += 1) {
      if (!isEscape(bytes, at)) continue;
      size -= 1;
      at += 1;
    }
    return size;
  }

  #paramField(tag: number, param: number): void {
    const { bytes, data } = this.#message;
    if (param === ABSENT || data.escaped[param] === 0) {
      const start = param === ABSENT ? 0 : (data.valueStart[param] as number);
      this.#field(tag, bytes, start, param === ABSENT ? 0 : (data.valueEnd[param] as number));
      return;
    }
    this.#head(tag, this.#sizeOf(param));
    const end = data.valueEnd[param] as number;
    for (let at = data.valueStart[param] as number; at < end; at += 1) {
      if (isEscape(bytes, at)) at += 1;
      this.#bytes[this.#at] = bytes[at] as number;
      this.#at += 1;
    }
  }

  #field(tag: number, from: Buffer, start: number, end: number): void {
    this.#head(tag, end - start);
    this.#at += from.copy(this.#bytes, this.#at, start, end);
  }

  #head(tag: number, length: number): void {
    this.#bytes[this.#at] = tag;
    this.#at = encodeVarint(this.#bytes, this.#at + 1, length);
  }

  /** Makes room for all that a message can need. */
  #reserve({ appNameStart, textEnd, data }: SyslogMessage): void {
    const size = textEnd - appNameStart + FIELD_ROOM * (data.paramCount + 8);
    if (size > this.#bytes.length) this.#bytes = Buffer.allocUnsafeSlow(size * 2);
  }
}

/** `\"`, `\\` and `\]` are escapes; before anything else a backslash stands for itself. */
function isEscape(bytes: Buffer, at: number): boolean {
  if (bytes[at] !== BACKSLASH) return false;
  const next = bytes[at + 1];
  return next === QUOTE || next === BACKSLASH || next === CLOSE;
}

function isBracket(byte: number): boolean {
  return byte === OPEN || byte === CLOSE;
}

/** The size of a length-delimited field whose tag is one byte. */
function fieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}
