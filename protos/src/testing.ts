/** Envelopes for tests and benchmarks: from a seed, numbered, or of the two sizes that are measured. */

import { loggregator } from '../gen/messages.js';
import { PackedBatch } from './packed-batch.ts';

export { contents, double, field, fieldsInOrder, number, varint } from './testing-wire.ts';

type EnvelopeInit = loggregator.v2.IEnvelope;

/** A small repeatable generator (mulberry32): each call gives a whole number from 0 up to `below`. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

export function encodeEnvelope(init: EnvelopeInit): Buffer {
  return Buffer.from(loggregator.v2.Envelope.encode(init).finish());
}

export function encodeBatch(inits: readonly EnvelopeInit[]): Buffer {
  return Buffer.from(loggregator.v2.EnvelopeBatch.encode({ batch: [...inits] }).finish());
}

/** A log whose payload is `line N`, for finding each number exactly once at the other end. */
export function numberedLog(sourceId: string, n: number, timestamp?: bigint): EnvelopeInit {
  return {
    timestamp: longOf(timestamp ?? 1_700_000_000_000_000_000n + BigInt(n)),
    source_id: sourceId,
    instance_id: '0',
    tags: { source_type: 'APP/PROC/WEB' },
    log: { payload: Buffer.from(`line ${n}`), type: loggregator.v2.Log.Type.OUT },
  };
}

/** The number of a numbered log, or undefined when the payload is not one. */
export function numberOf(payload: Uint8Array | null | undefined): number | undefined {
  const match = /^line (\d+)$/.exec(Buffer.from(payload ?? []).toString());
  return match ? Number(match[1]) : undefined;
}

/** What differs between two batches of the same shape. */
export interface ShapeOptions {
  /** The source of envelope `index`; one app when it is not given. */
  readonly sourceId?: (index: number) => string;
  /** The timestamp of the first envelope, in nanoseconds; each next one is a microsecond later. */
  readonly timestamp?: bigint;
  /** Puts each envelope's tags in another order, as Go's encoders do; a number below its argument. */
  readonly shuffle?: (below: number) => number;
}

/** Log envelopes of 282 bytes with six tags: what an app's line looks like when it is lean. */
export function leanBatch(count: number, options: ShapeOptions = {}): PackedBatch {
  return shapedBatch(count, 282, LEAN_TAGS, options);
}

/** Log envelopes of 712 bytes with sixteen tags: what Cloud Foundry's apps send. */
export function cfBatch(count: number, options: ShapeOptions = {}): PackedBatch {
  return shapedBatch(count, 712, CF_TAGS, options);
}

/** Envelopes of every kind, with and without their optional parts, from a seed. */
export function randomEnvelopes(seed: number, count: number): EnvelopeInit[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, () => randomEnvelope(random));
}

/** A signed 64-bit value as protobufjs takes it. */
export function longOf(value: bigint): NonNullable<EnvelopeInit['timestamp']> {
  return loggregator.v2.Envelope.fromObject({ timestamp: String(value) }).timestamp;
}

const APP = '73467cc3-261a-472e-80e8-d6eadfd30d98';

const LEAN_TAGS = {
  app_name: 'shop',
  origin: 'rep',
  process_type: 'web',
  source_type: 'APP/PROC/WEB',
  space_name: 'dev',
  zone: 'az1',
};

const CF_TAGS = {
  app_id: APP,
  app_name: 'shop-frontend',
  deployment: 'cf',
  index: '5b4ce2a1-8f0d-4d5e-b5a8-6f3b1c1d2e3f',
  instance_id: '0',
  ip: '10.0.16.24',
  job: 'diego-cell',
  organization_id: '0d1e2f3a-4b5c-4d6e-8f70-8192a3b4c5d6',
  organization_name: 'acme-retail',
  origin: 'rep',
  process_id: APP,
  process_instance_id: 'f9a1d0c2-3b4e-4c5d-6a7b-8c9d',
  process_type: 'web',
  source_type: 'APP/PROC/WEB',
  space_id: '9c8b7a69-5847-4362-9150-4f3e2d1c0b0a',
  space_name: 'production',
};

function shapedBatch(
  count: number,
  byteLength: number,
  tags: Record<string, string>,
  options: ShapeOptions,
): PackedBatch {
  const first = options.timestamp ?? 1_700_000_000_000_000_000n;
  const inits = Array.from({ length: count }, (_, index) => {
    const init = {
      timestamp: longOf(first + BigInt(index) * 1000n),
      source_id: options.sourceId?.(index) ?? APP,
      instance_id: '0',
      tags: options.shuffle ? inAnyOrder(tags, options.shuffle) : tags,
      log: { payload: Buffer.alloc(0), type: loggregator.v2.Log.Type.OUT },
    };
    const missing = byteLength - encodeEnvelope(init).length - 2;
    init.log.payload = Buffer.from(`${index} GET /checkout 200 `.padEnd(missing, 'x'));
    return init;
  });
  return new PackedBatch(encodeBatch(inits), count);
}

function inAnyOrder(
  tags: Readonly<Record<string, string>>,
  random: (below: number) => number,
): Record<string, string> {
  const ranked = Object.entries(tags).map((tag) => ({ tag, rank: random(2 ** 30) }));
  return Object.fromEntries(ranked.toSorted((a, b) => a.rank - b.rank).map(({ tag }) => tag));
}

function randomEnvelope(random: (below: number) => number): EnvelopeInit {
  const envelope: EnvelopeInit = {};
  if (random(8)) envelope.timestamp = longOf(randomTime(random));
  if (random(8)) envelope.source_id = randomText(random);
  if (random(2)) envelope.instance_id = String(random(20));
  if (random(2)) envelope.tags = randomTags(random, () => randomText(random));
  if (!random(4)) envelope.deprecated_tags = randomTags(random, () => randomValue(random));
  return { ...envelope, ...randomMessage(random) };
}

function randomMessage(random: (below: number) => number): EnvelopeInit {
  const name = randomText(random);
  switch (random(7)) {
    case 0:
      return {
        counter: { name, delta: random(1000), total: longOf(BigInt(random(2 ** 31)) << 8n) },
      };
    case 1:
      return { gauge: { metrics: randomTags(random, () => randomGauge(random)) } };
    case 2:
      return {
        timer: { name, start: longOf(randomTime(random)), stop: longOf(randomTime(random)) },
      };
    case 3:
      return { event: { title: name, body: randomText(random) } };
    case 4:
      return {};
    default:
      return { log: { payload: randomBytes(random), type: random(2) } };
  }
}

function randomTags<T>(random: (below: number) => number, value: () => T): Record<string, T> {
  const keys = ['origin', 'job', 'index', 'deployment', 'cpu', 'memory', 'ü', ''];
  return Object.fromEntries(
    Array.from({ length: random(6) }, () => [keys[random(keys.length)], value()]),
  );
}

function randomValue(random: (below: number) => number): loggregator.v2.IValue {
  const kinds = [{ text: randomText(random) }, { integer: longOf(-5n) }, { decimal: 0.8 }, {}];
  return kinds[random(kinds.length)] ?? {};
}

function randomGauge(random: (below: number) => number): loggregator.v2.IGaugeValue {
  const values = [0, 1, 0.23, -1e21, 134217728, Number.NaN, Number.POSITIVE_INFINITY];
  return { unit: random(2) ? 'bytes' : '', value: values[random(values.length)] ?? 0 };
}

function randomTime(random: (below: number) => number): bigint {
  if (!random(10)) return -BigInt(random(1_000_000));
  return 1_700_000_000_000_000_000n + BigInt(random(2 ** 31)) * BigInt(random(1000));
}

function randomText(random: (below: number) => number): string {
  const texts = [
    '',
    'a',
    'doppler',
    'http.requests',
    'spé-"x"\\',
    '😀 smile',
    APP,
    'x'.repeat(130),
  ];
  return texts[random(texts.length)] ?? '';
}

function randomBytes(random: (below: number) => number): Buffer {
  return Buffer.from(Array.from({ length: random(200) }, () => random(256)));
}
