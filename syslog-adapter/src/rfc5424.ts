/**
 * One envelope as RFC 5424 text, straight from its bytes.
 *
 *     <14>1 2023-11-14T22:13:20.12345+00:00 org.space.app GUID [APP/PROC/WEB/0] - [tags@47450 …] text⏎
 *     PRI   TIMESTAMP                       HOSTNAME      APP  PROCID           - SD             MSG
 *
 * A log, counter, timer or event makes one message, a gauge one for each of its metrics, an
 * envelope with no message none. The text is that of loggregator-agent-release v8.3.9, but the
 * metrics of a gauge come in the byte order of their names.
 *
 * An envelope that RFC 5424 has no text for (a tag's name with a blank in it, an instance that is
 * not ASCII) is refused whole: nothing of it is written, `mistake` says why, and the caller counts
 * it. It is never tried again, so it holds nobody up.
 *
 * Hot: no strings, no objects; the tags are walked once and sorted. rfc5424.bench.ts has figures.
 */

import {
  EnvelopeField,
  EnvelopeParts,
  EventParts,
  GaugeValueParts,
  goShortest,
  LogMemo,
  LogParts,
  NamedParts,
  writeSigned,
  writeUnsigned,
} from '@standpipe/protos';
import { writeName, writePayload, writeText, writeValue } from './data-text.ts';
import type { FrameBuffer } from './framing.ts';
import {
  APP_NAME_MAX,
  HOSTNAME_MAX,
  REFUSED,
  writeHostPart,
  writeLogProcessId,
  writeProcessId,
  writeVisible,
} from './header-text.ts';
import { TimeWriter } from './time-text.ts';

/** What is the same for all messages of one drain. */
export interface MessageStyle {
  /** For envelopes whose tags name no organization, space or app. */
  readonly hostname: Uint8Array;
  /** Whether tags go along as structured data. */
  readonly metadata: boolean;
}

/** What `write` returns for an envelope that cannot be sent. */
export const UNSENDABLE = -1;

/** What a message has besides its envelope's bytes: header, names of parameters, numbers. */
const ROOM = 1024;

const SPACE = 0x20;
const QUOTE = 0x22;
const DASH = 0x2d;
const DOT = 0x2e;
const NEWLINE = 0x0a;
const CLOSE = 0x5d;

const PRIORITY_OUT = Buffer.from('<14>1 ');
const PRIORITY_ERR = Buffer.from('<11>1 ');
/** The original's verdict on a type that it doesn't know. */
const PRIORITY_UNKNOWN = Buffer.from('<-1>1 ');
const MESSAGE_ID = Buffer.from(' - ');
const TAGS = Buffer.from('[tags@47450');
const EQUALS = Buffer.from('="');
const COUNTER = Buffer.from('[counter@47450 name="');
const TOTAL = Buffer.from('" total="');
const DELTA = Buffer.from('" delta="');
const GAUGE = Buffer.from('[gauge@47450 name="');
const VALUE = Buffer.from('" value="');
const UNIT = Buffer.from('" unit="');
const TIMER = Buffer.from('[timer@47450 name="');
const START = Buffer.from('" start="');
const STOP = Buffer.from('" stop="');
const EVENT = Buffer.from('[event@47450 title="');
const BODY = Buffer.from('" body="');
const END = Buffer.from('"]');

const ORGANIZATION_NAME = Buffer.from('organization_name');
const SPACE_NAME = Buffer.from('space_name');
const APP_NAME = Buffer.from('app_name');
const SOURCE_TYPE = Buffer.from('source_type');

export class Rfc5424Writer {
  /** Why the last envelope was refused. */
  mistake = '';

  readonly #frames: FrameBuffer;
  readonly #time = new TimeWriter();
  /** Of each log, what stands between its time and its payload. */
  readonly #memo = new LogMemo<Buffer>();
  readonly #parts = new EnvelopeParts();
  readonly #log = new LogParts();
  readonly #named = new NamedParts();
  readonly #event = new EventParts();
  readonly #gaugeValue = new GaugeValueParts();
  readonly #process = { typeStart: 0, typeEnd: 0, instanceStart: 0, instanceEnd: 0 };

  // The envelope that is being written, its drain's style, and where it is written.
  #bytes: Buffer = Buffer.alloc(0);
  #size = 0;
  #tagCount = 0;
  #textStart = 0;
  #style: MessageStyle = { hostname: this.#bytes, metadata: true };
  #out: Buffer = this.#bytes;

  constructor(frames: FrameBuffer) {
    this.#frames = frames;
  }

  /**
   * Appends the messages of the bare envelope bytes[start, end), which a scan has accepted.
   * Returns how many they are, or UNSENDABLE.
   */
  write(bytes: Buffer, start: number, end: number, style: MessageStyle): number {
    const frames = this.#frames;
    const { byteLength, count } = frames;
    const known = this.#memo.find(bytes, start, end, style);
    if (known !== undefined) return this.#writeRemembered(bytes, end - start, known);
    const parts = this.#parts.read(bytes, start, end);
    this.#bytes = parts.bytes as Buffer; // What was given; or a copy, which protos makes a Buffer.
    this.#size = end - start;
    this.#style = style;
    this.#tagCount = style.metadata ? parts.tags.sort(this.#bytes) : 0;

    if (this.#writeMessages(parts)) return frames.count - count;
    frames.rewind(byteLength, count);
    return UNSENDABLE;
  }

  #writeMessages(parts: EnvelopeParts): boolean {
    switch (parts.message) {
      case EnvelopeField.log:
        return this.#finish(this.#writeLog(parts));
      case EnvelopeField.gauge:
        return this.#writeGauge(parts);
      case EnvelopeField.counter:
      case EnvelopeField.timer:
        return this.#finish(this.#writeNamed(parts));
      case EnvelopeField.event:
        return this.#finish(this.#writeEvent(parts));
      default:
        return true;
    }
  }

  #writeLog(parts: EnvelopeParts): number {
    const log = this.#log.read(this.#bytes, parts.bodyStart, parts.bodyEnd);
    let at = this.#begin(parts, priorityOf(log.type));
    if (at === REFUSED) return REFUSED;
    const data = at;
    at = this.#writeTags(parts, at);
    if (at === REFUSED) return REFUSED;
    const out = this.#out;
    if (at === data) out[at++] = DASH;
    out[at++] = SPACE;
    if (this.#memo.wanted) {
      this.#memo.keep(this.#style, Buffer.from(out.subarray(this.#textStart, at)));
    }
    return this.#writeText(at, log);
  }

  /** A log of which all but time and text is known. */
  #writeRemembered(bytes: Buffer, size: number, text: Buffer): number {
    const { log, timeHigh, timeLow } = this.#memo;
    this.#bytes = bytes;
    let at = this.#frames.begin(2 * size + ROOM);
    const out = this.#frames.bytes;
    this.#out = out;
    at = writeText(out, at, priorityOf(log.type));
    at = this.#time.write(out, at, timeHigh | 0, timeLow);
    at += text.copy(out, at);
    this.#frames.end(this.#writeText(at, log));
    return 1;
  }

  #writeText(offset: number, { payloadStart, payloadEnd }: LogParts): number {
    const out = this.#out;
    let at = writePayload(out, offset, this.#bytes, payloadStart, payloadEnd);
    if (out[at - 1] !== NEWLINE) out[at++] = NEWLINE;
    return at;
  }

  /** A counter or a timer. */
  #writeNamed(parts: EnvelopeParts): number {
    const named = this.#named.read(this.#bytes, parts.bodyStart, parts.bodyEnd);
    const isTimer = parts.message === EnvelopeField.timer;
    let at = this.#begin(parts, PRIORITY_OUT);
    if (at === REFUSED) return REFUSED;
    const out = this.#out;
    at = writeText(out, at, isTimer ? TIMER : COUNTER);
    at = writeValue(out, at, this.#bytes, named.nameStart, named.nameEnd);
    if (isTimer) {
      at = writeSigned(out, writeText(out, at, START), named.secondHigh, named.secondLow);
      at = writeSigned(out, writeText(out, at, STOP), named.thirdHigh, named.thirdLow);
    } else {
      at = writeUnsigned(out, writeText(out, at, TOTAL), named.thirdHigh, named.thirdLow);
      at = writeUnsigned(out, writeText(out, at, DELTA), named.secondHigh, named.secondLow);
    }
    return this.#writeEnd(parts, writeText(out, at, END));
  }

  #writeEvent(parts: EnvelopeParts): number {
    const event = this.#event.read(this.#bytes, parts.bodyStart, parts.bodyEnd);
    let at = this.#begin(parts, PRIORITY_OUT);
    if (at === REFUSED) return REFUSED;
    const out = this.#out;
    at = writeText(out, at, EVENT);
    at = writeValue(out, at, this.#bytes, event.titleStart, event.titleEnd);
    at = writeText(out, at, BODY);
    at = writeValue(out, at, this.#bytes, event.bodyStart, event.bodyEnd);
    return this.#writeEnd(parts, writeText(out, at, END));
  }

  #writeGauge(parts: EnvelopeParts): boolean {
    const { metrics } = parts;
    const count = metrics.sort(this.#bytes);
    for (let place = 0; place < count; place += 1) {
      if (!this.#finish(this.#writeMetric(parts, at(metrics.order, place)))) return false;
    }
    return true;
  }

  #writeMetric(parts: EnvelopeParts, entry: number): number {
    const { keyStart, keyEnd, valueStart, valueEnd } = parts.metrics;
    const value = this.#gaugeValue.read(this.#bytes, at(valueStart, entry), at(valueEnd, entry));
    let end = this.#begin(parts, PRIORITY_OUT);
    if (end === REFUSED) return REFUSED;
    const out = this.#out;
    end = writeText(out, end, GAUGE);
    end = writeValue(out, end, this.#bytes, at(keyStart, entry), at(keyEnd, entry));
    end = writeText(out, end, VALUE);
    end += out.write(goShortest(value.value), end, 'latin1');
    end = writeText(out, end, UNIT);
    end = writeValue(out, end, this.#bytes, value.unitStart, value.unitEnd);
    return this.#writeEnd(parts, writeText(out, end, END));
  }

  /** Begins a message: all that stands before its structured data. */
  #begin(parts: EnvelopeParts, priority: Uint8Array): number {
    // Escaping doubles a byte at most, and that also pays for what stands around short tags.
    let at = this.#frames.begin(2 * this.#size + ROOM);
    this.#out = this.#frames.bytes;
    const out = this.#out;
    at = writeText(out, at, priority);
    at = this.#time.write(out, at, parts.timeHigh | 0, parts.timeLow);
    this.#textStart = at;
    out[at++] = SPACE;
    at = this.#writeHostname(parts, at);
    if (at === REFUSED) return this.#refuse('the host name is not visible ASCII');
    out[at++] = SPACE;
    at = this.#writeAppName(parts, at);
    if (at === REFUSED) return this.#refuse('the source id is not visible ASCII');
    out[at++] = SPACE;
    at = this.#writeProcess(parts, at);
    if (at === REFUSED) return this.#refuse('the instance id is not visible ASCII');
    return writeText(out, at, MESSAGE_ID);
  }

  /** `org.space.app` if any of them is known, else what the binding says, else a dash. */
  #writeHostname({ tags }: EnvelopeParts, offset: number): number {
    const bytes = this.#bytes;
    const organization = tags.find(bytes, ORGANIZATION_NAME);
    const space = tags.find(bytes, SPACE_NAME);
    const app = tags.find(bytes, APP_NAME);
    if (organization < 0 && space < 0 && app < 0) return this.#writeBoundHostname(offset);
    let at = this.#writeHostPart(tags, organization, offset);
    this.#out[at++] = DOT;
    at = this.#writeHostPart(tags, space, at);
    this.#out[at++] = DOT;
    return this.#writeHostPart(tags, app, at);
  }

  #writeHostPart(tags: EnvelopeParts['tags'], entry: number, offset: number): number {
    if (entry < 0) return offset;
    const { valueStart, valueEnd } = tags;
    return writeHostPart(
      this.#out,
      offset,
      this.#bytes,
      at(valueStart, entry),
      at(valueEnd, entry),
    );
  }

  #writeBoundHostname(offset: number): number {
    const { hostname } = this.#style;
    const length = Math.min(hostname.length, HOSTNAME_MAX);
    if (length > 0) return writeVisible(this.#out, offset, hostname, 0, length);
    this.#out[offset] = DASH;
    return offset + 1;
  }

  #writeAppName({ sourceStart, sourceEnd }: EnvelopeParts, offset: number): number {
    if (sourceStart === sourceEnd) {
      this.#out[offset] = DASH;
      return offset + 1;
    }
    const end = Math.min(sourceEnd, sourceStart + APP_NAME_MAX);
    return writeVisible(this.#out, offset, this.#bytes, sourceStart, end);
  }

  #writeProcess(parts: EnvelopeParts, offset: number): number {
    const { tags, instanceStart, instanceEnd } = parts;
    if (parts.message !== EnvelopeField.log) {
      return writeProcessId(this.#out, offset, this.#bytes, instanceStart, instanceEnd);
    }
    const entry = tags.find(this.#bytes, SOURCE_TYPE);
    const process = this.#process;
    process.typeStart = entry < 0 ? 0 : at(tags.valueStart, entry);
    process.typeEnd = entry < 0 ? 0 : at(tags.valueEnd, entry);
    process.instanceStart = instanceStart;
    process.instanceEnd = instanceEnd;
    return writeLogProcessId(this.#out, offset, this.#bytes, process);
  }

  /** What follows the data of anything that is no log: its tags, and an empty text. */
  #writeEnd(parts: EnvelopeParts, offset: number): number {
    let at = this.#writeTags(parts, offset);
    if (at === REFUSED) return REFUSED;
    this.#out[at++] = SPACE;
    this.#out[at++] = NEWLINE;
    return at;
  }

  /** `[tags@47450 key="value" …]`, or nothing. */
  #writeTags({ tags }: EnvelopeParts, offset: number): number {
    if (this.#tagCount === 0) return offset;
    const out = this.#out;
    const bytes = this.#bytes;
    const { order, keyStart, keyEnd, valueStart, valueEnd } = tags;
    let end = writeText(out, offset, TAGS);
    for (let place = 0; place < this.#tagCount; place += 1) {
      const entry = at(order, place);
      out[end++] = SPACE;
      end = writeName(out, end, bytes, at(keyStart, entry), at(keyEnd, entry));
      if (end === REFUSED) return this.#refuse('a tag has a name that RFC 5424 does not allow');
      end = writeText(out, end, EQUALS);
      end = writeValue(out, end, bytes, at(valueStart, entry), at(valueEnd, entry));
      out[end++] = QUOTE;
    }
    out[end++] = CLOSE;
    return end;
  }

  #finish(end: number): boolean {
    if (end === REFUSED) return false;
    this.#frames.end(end);
    return true;
  }

  #refuse(mistake: string): number {
    this.mistake = mistake;
    return REFUSED;
  }
}

function priorityOf(type: number): Uint8Array {
  if (type === 0) return PRIORITY_OUT;
  return type === 1 ? PRIORITY_ERR : PRIORITY_UNKNOWN;
}

/** A column's value; its index is one of its rows. */
function at(column: Int32Array, index: number): number {
  return column[index] as number;
}
