/**
 * What happens to a datagram: its lines are taken apart, applied to their series, and sent on as
 * envelopes.
 *
 *     datagram ─▶ lines ─▶ Line.parse ─▶ SeriesTable.apply ─▶ GaugeEnvelope.write ─▶ emit
 *
 * A line that is none is counted by its reason and shown in the log, one in ten seconds for each
 * reason. It never costs the lines beside it. received = parsed + rejected.
 *
 * Hot: lines are read where they stand; the time is looked up once per datagram.
 */

import { isUtf8 } from 'node:buffer';
import { type Clock, type Log, systemClock } from '@standpipe/plumbing';
import { nowNanoseconds } from '@standpipe/protos';
import { GaugeEnvelope } from './gauge-envelope.ts';
import { Line, type Rejection } from './line.ts';
import type { InjectorMetrics } from './metrics.ts';
import { SeriesTable } from './series.ts';

/** So much of a refused line is shown. */
const SHOWN_BYTES = 200;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export interface InjectorOptions {
  /** Takes an encoded, bare Envelope, whose bytes it must copy. */
  readonly emit: (envelope: Buffer) => void;
  readonly metrics: InjectorMetrics;
  readonly log: Log;
  readonly series?: SeriesTable;
  readonly clock?: Clock;
  /** Nanoseconds since 1970. */
  readonly time?: () => bigint;
}

export class Injector {
  readonly #emit: (envelope: Buffer) => void;
  readonly #metrics: InjectorMetrics;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #time: () => bigint;
  readonly #series: SeriesTable;
  readonly #line = new Line();
  readonly #envelope = new GaugeEnvelope();

  constructor(options: InjectorOptions) {
    this.#emit = options.emit;
    this.#metrics = options.metrics;
    this.#log = options.log;
    this.#clock = options.clock ?? systemClock;
    this.#time = options.time ?? nowNanoseconds;
    this.#series = options.series ?? new SeriesTable();
  }

  get series(): SeriesTable {
    return this.#series;
  }

  /** Takes a datagram in. Never throws, whatever is in it. */
  take(datagram: Buffer): void {
    this.#envelope.setTime(this.#time());
    const nowMs = this.#clock.now();
    const forgottenBefore = this.#series.forgotten;
    this.#series.forgetIdle(nowMs);
    const isSound = isUtf8(datagram);
    let received = 0;
    let parsed = 0;
    for (let start = 0; start < datagram.length; ) {
      const next = indexOr(datagram.indexOf(LINE_FEED, start), datagram.length);
      const hasReturn = next > start && datagram[next - 1] === CARRIAGE_RETURN;
      const end = hasReturn ? next - 1 : next;
      if (end > start) {
        received += 1;
        const isText = isSound || isUtf8(datagram.subarray(start, end));
        if (this.#takeLine(datagram, start, end, isText, nowMs)) parsed += 1;
      }
      start = next + 1;
    }
    this.#metrics.received.add(received);
    this.#metrics.parsed.add(parsed);
    const forgotten = this.#series.forgotten - forgottenBefore;
    if (forgotten > 0) this.#metrics.seriesForgotten.add(forgotten);
  }

  #takeLine(datagram: Buffer, start: number, end: number, isText: boolean, nowMs: number): boolean {
    const line = this.#line;
    const rejection = isText ? line.parse(datagram, start, end) : 'utf8';
    const value = rejection === '' ? this.#series.apply(datagram, line, nowMs) : Number.NaN;
    if (Number.isNaN(value)) {
      this.#reject(rejection === '' ? 'value' : rejection, datagram.subarray(start, end));
      return false;
    }
    if (line.tagsLeftOut > 0) this.#metrics.tagsLeftOut.add(line.tagsLeftOut);
    this.#emit(this.#envelope.write(datagram, line, value));
    return true;
  }

  #reject(reason: Rejection, line: Buffer): void {
    this.#metrics.rejected[reason].add(1);
    const shown = line.toString('utf8', 0, Math.min(line.length, SHOWN_BYTES));
    this.#log.limited(`rejected ${reason}`, 'warn', { reason, line: shown }, 'a line was refused');
  }
}

function indexOr(index: number, otherwise: number): number {
  return index < 0 ? otherwise : index;
}
