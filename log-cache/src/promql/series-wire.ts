/** How series travel between nodes: standpipe.v1.SeriesStore's messages, with samples as plain doubles. */

import { standpipe } from '@standpipe/protos';
import { MalformedError } from '../messages.ts';
import { PatternError } from '../pattern.ts';
import { Labels } from './labels.ts';
import { Matcher, type MatchOp } from './matcher.ts';
import type { Selection, Series, SeriesType } from './series.ts';

const { SelectRequest, SelectResponse } = standpipe.v1;

/** A response is about so large, or has one part that is not larger. */
const PART_SAMPLES_MAX = 16_384;
const RESPONSE_SAMPLES_MAX = 32_768;
/** What a series without samples counts for. */
const LABELS_SAMPLES = 32;

const OPS: ReadonlySet<string> = new Set(['=', '!=', '=~', '!~']);
const TYPES: ReadonlySet<string> = new Set(['counter', 'gauge', 'timer', 'log']);

export function encodeSelection(selection: Selection): Buffer {
  const { matchers, startMs, endMs, labelsOnly, sources } = selection;
  const message = SelectRequest.create({
    matchers: matchers.map(({ name, op, value }) => ({ name, op, value })),
    start_ms: startMs,
    end_ms: endMs,
    labels_only: labelsOnly,
    sources: sources === undefined ? null : { ids: [...sources] },
  });
  return Buffer.from(SelectRequest.encode(message).finish());
}

/** Throws a MalformedError. */
export function decodeSelection(bytes: Buffer): Selection {
  const message = decode(() => SelectRequest.decode(bytes));
  return {
    matchers: message.matchers.map(({ name, op, value }) => matcherOf(name, op, value)),
    startMs: message.start_ms,
    endMs: message.end_ms,
    labelsOnly: message.labels_only,
    sources: message.sources ? new Set(message.sources.ids) : undefined,
  };
}

/** Responses of a bounded size that hold all series. */
export function* encodeSeries(series: Iterable<Series>): Generator<Buffer> {
  let parts: standpipe.v1.ISeriesPart[] = [];
  let samples = 0;
  for (const one of series) {
    for (const part of partsOf(one)) {
      parts.push(part);
      samples += LABELS_SAMPLES + (part.times?.length ?? 0) / Float64Array.BYTES_PER_ELEMENT;
      if (samples < RESPONSE_SAMPLES_MAX) continue;
      yield Buffer.from(SelectResponse.encode({ series: parts }).finish());
      parts = [];
      samples = 0;
    }
  }
  if (parts.length > 0) yield Buffer.from(SelectResponse.encode({ series: parts }).finish());
}

/** Throws a MalformedError. */
export function decodeSeries(bytes: Buffer): Series[] {
  return decode(() => SelectResponse.decode(bytes)).series.map((part) => {
    const { labels = [], type = '', unit = '', times, values } = part;
    const series = {
      labels: Labels.sorted(labels ?? []),
      type: typeOf(type ?? ''),
      unit: unit ?? '',
      times: doubles(times),
      values: doubles(values),
    };
    if (series.times.length === series.values.length) return series;
    throw new MalformedError('a series has not as many values as times');
  });
}

function* partsOf({
  labels,
  type,
  unit,
  times,
  values,
}: Series): Generator<standpipe.v1.ISeriesPart> {
  let from = 0;
  do {
    const to = Math.min(times.length, from + PART_SAMPLES_MAX);
    yield {
      labels: [...labels.pairs],
      type,
      unit,
      times: bytesOf(times.subarray(from, to)),
      values: bytesOf(values.subarray(from, to)),
    };
    from = to;
  } while (from < times.length);
}

/** The machines this runs on are little-endian, all of them. */
function bytesOf({ buffer, byteOffset, byteLength }: Float64Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function doubles(bytes: Uint8Array | string | null | undefined): Float64Array {
  if (!bytes || typeof bytes === 'string') return new Float64Array(0);
  if (bytes.length % Float64Array.BYTES_PER_ELEMENT !== 0) {
    throw new MalformedError('samples are cut off');
  }
  return new Float64Array(Uint8Array.from(bytes).buffer); // A copy, aligned.
}

function matcherOf(name?: string | null, op?: string | null, value?: string | null): Matcher {
  if (!OPS.has(op ?? '')) throw new MalformedError('a matcher has no such operator');
  try {
    return new Matcher(name ?? '', op as MatchOp, value ?? ''); // It is one of them.
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw new MalformedError(error.message, { cause: error });
  }
}

function typeOf(type: string): SeriesType {
  if (TYPES.has(type)) return type as SeriesType; // It is one of them.
  throw new MalformedError('a series has no such type');
}

function decode<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    // protobufjs throws errors of several classes, all of them for what is in the bytes.
    throw new MalformedError(error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  }
}
