/**
 * All that a read asks of an envelope besides its time: kind, name, text and tags, in one.
 *
 * What is cheap is asked first. An envelope must pass all; name filters pass only counters, timers
 * and gauges, text filters only logs, so a read with both finds nothing.
 */

import { status } from '@grpc/grpc-js';
import { type Batch, type BatchBuilder, Kind } from '@standpipe/protos';
import { NameFilter } from './name-filter.ts';
import { PatternError } from './pattern.ts';
import { LongTextError, PayloadFilter } from './payload-filter.ts';
import { ReadError } from './read-error.ts';
import { TagError, TagFilter } from './tag-filter.ts';

/** What a request asks of envelopes. */
export interface FilterRequest {
  /** Numbers of logcache.v1.EnvelopeType. */
  readonly envelopeTypes: readonly number[];
  /** An RE2 expression for names; empty for none. */
  readonly nameFilter: string;
  /** Text in a log's payload; empty for none. */
  readonly contains: string;
  /** An RE2 expression for a log's payload; empty for none. */
  readonly matches: string;
  /** `KEY:VALUE`, all of which an envelope must have. */
  readonly tags: readonly string[];
}

/** Where an envelope is, and of what kind. */
export interface Row {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly kind: number;
  /** A part of it, which has its message; also the bytes that lie beside it may be looked at. */
  readonly messageBytes: Uint8Array;
  readonly messageStart: number;
  readonly messageEnd: number;
}

const EVERY_KIND = -1;
const NAMED_KINDS = (1 << Kind.counter) | (1 << Kind.gauge) | (1 << Kind.timer);

export class EnvelopeFilter {
  /** A bit for each kind that can pass. */
  readonly kinds: number;
  readonly #names: NameFilter | undefined;
  readonly #payload: PayloadFilter | undefined;
  readonly #tags: TagFilter | undefined;

  /** Throws a ReadError that says what can't be used. */
  constructor(request: FilterRequest) {
    const { nameFilter, contains, matches, tags } = request;
    let kinds = kindsOf(request.envelopeTypes);
    if (nameFilter !== '') {
      this.#names = usable(() => new NameFilter(nameFilter), 'Name filter', status.UNKNOWN);
      kinds &= NAMED_KINDS;
    }
    if (contains !== '' || matches !== '') {
      const make = (): PayloadFilter => new PayloadFilter({ contains, matches });
      this.#payload = usable(make, 'Matches', status.INVALID_ARGUMENT);
      kinds &= 1 << Kind.log;
    }
    if (tags.length > 0)
      this.#tags = usable(() => new TagFilter(tags), 'Tag', status.INVALID_ARGUMENT);
    this.kinds = kinds;
  }

  /** Grows with what matching has cost so far; see Pattern. */
  get work(): number {
    return (this.#payload?.work ?? 0) + (this.#names?.work ?? 0);
  }

  /** To be called when the bytes of rows may have changed since the last. */
  restart(): void {
    this.#payload?.restart();
  }

  /** Lets names be matched for another while; for a filter that lives long. */
  renew(): void {
    this.#names?.renew();
  }

  /** Adds an envelope to `into` if it passes, a gauge with the wanted metrics only; whether it did. */
  select(row: Row, into: BatchBuilder): boolean {
    if (((1 << row.kind) & this.kinds) === 0) return false;
    if (this.#payload?.passes(row.messageBytes, row.messageStart, row.messageEnd) === false) {
      return false;
    }
    const { bytes, start, end } = row; // What a cursor shows is put together only here.
    if (this.#tags?.passes(bytes, start, end) === false) return false;
    if (this.#names !== undefined) return this.#names.select(bytes, row, into);
    into.addSlice(bytes, start, end);
    return true;
  }
}

/** An envelope of a scanned batch as a row; its index is below the batch's count. */
export function rowOf(batch: Batch, index: number): Row {
  const start = batch.start[index] as number;
  const end = batch.end[index] as number;
  const kind = batch.kind[index] as number;
  const { bytes } = batch;
  return { bytes, start, end, kind, messageBytes: bytes, messageStart: start, messageEnd: end };
}

/** Whether a request asks for what the original's nodes know nothing of. */
export function asksForMore({ contains, matches, tags }: FilterRequest): boolean {
  return contains !== '' || matches !== '' || tags.length > 0;
}

/** ANY is dropped from a list: alone it is all kinds, beside others it is nothing. */
function kindsOf(envelopeTypes: readonly number[]): number {
  let kinds = 0;
  let isAny = true;
  for (const type of envelopeTypes) {
    if (type === 0) continue;
    isAny = false;
    if (type >= Kind.log && type <= Kind.event) kinds |= 1 << type;
  }
  return isAny ? EVERY_KIND : kinds;
}

function usable<T>(make: () => T, what: string, code: status): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof PatternError) {
      const text = `${what} must be a valid regular expression: ${error.message}`;
      throw new ReadError(code, text, { cause: error });
    }
    if (error instanceof TagError || error instanceof LongTextError)
      throw new ReadError(code, error.message, { cause: error });
    throw error;
  }
}
