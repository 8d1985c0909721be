/** Envelopes for tests as odd encoders might write them. */

import { encodeVarint } from '@standpipe/protos';
import { encodeEnvelope, longOf, randomEnvelopes } from '@standpipe/protos/testing';
import type { EnvelopeInit } from './testing.ts';

const FIRST = 1_700_000_000_000_000_000n;
const TAGS = { app_name: 'shop', origin: 'rep', process_type: 'web', zone: 'az1' };

/** Encoded envelopes as a batch. */
export function framed(envelopes: readonly Buffer[]): Buffer {
  const frames = envelopes.map((envelope) => {
    const head = Buffer.alloc(6);
    head[0] = 0x0a;
    return Buffer.concat([head.subarray(0, encodeVarint(head, 1, envelope.length)), envelope]);
  });
  return Buffer.concat(frames);
}

/** An envelope as some encoder might write it, of few sources and few sets of tags. */
export function oddEnvelope(random: (below: number) => number): Buffer {
  const source = `source ${random(3)}`;
  const tags = Object.fromEntries(
    Object.entries(TAGS)
      .slice(random(2))
      .toSorted(() => random(3) - 1),
  );
  const [any] = randomEnvelopes(random(2 ** 30), 1);
  const common: EnvelopeInit = { source_id: source, instance_id: String(random(3)), tags };
  const payload = Buffer.alloc(random(20) === 0 ? random(90_000) : random(300), 'x');
  const time = [0n, 5n, -3n, FIRST, FIRST + BigInt(random(1000))][random(5)] ?? 0n;
  const bodies: EnvelopeInit[] = [
    { log: { payload } },
    { counter: { name: 'requests', delta: random(5) } },
    { gauge: { metrics: { cpu: { unit: 'percentage', value: random(100) } } } },
    {},
    { log: { payload: Buffer.alloc(0) } },
  ];
  const head = encodeEnvelope({ timestamp: longOf(time) });
  const body = encodeEnvelope(bodies[random(bodies.length)] ?? {});
  const rest = encodeEnvelope(common);
  switch (random(8)) {
    case 0:
      return encodeEnvelope({ ...any, source_id: source });
    case 1:
      return Buffer.concat([rest, body, head]); // The time last.
    case 2:
      return Buffer.concat([Buffer.from('0885808000', 'hex'), rest, body]); // A time of padded bytes.
    case 3:
      return Buffer.concat([head, body, rest, body]); // The message twice.
    case 4:
      return Buffer.concat([head, rest, head, body]);
    default:
      return Buffer.concat([head, body, rest]);
  }
}
