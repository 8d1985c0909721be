/**
 * A process's own metrics as v2 envelopes, in the form that Loggregator v107.0.21 gives them: all
 * tags among the deprecated ones, as text; of a counter only what it gained; of a gauge two
 * decimals. No `instance_id`, and no total, for the agent keeps totals.
 *
 * Each is an object that protobufjs encodes: there are some dozens of them every few seconds.
 */

import type { Labels, Series } from '@standpipe/plumbing';
import { loggregator, nowNanoseconds } from '@standpipe/protos';

const DECIMALS = 2;

/** A counter's envelope, with what it gained; a gauge's is `gaugeEnvelope`. */
export function counterEnvelope(
  sourceId: string,
  { name, delta, tags }: { readonly name: string; readonly delta: number; readonly tags: Labels },
): Buffer {
  return encode({ source_id: sourceId, deprecated_tags: texts(tags), counter: { name, delta } });
}

export function gaugeEnvelope(
  sourceId: string,
  { name, unit, value, tags }: Pick<Series, 'name' | 'unit' | 'value'> & { readonly tags: Labels },
): Buffer {
  const rounded = Number(value.toFixed(DECIMALS));
  return encode({
    source_id: sourceId,
    deprecated_tags: texts(tags),
    gauge: { metrics: { [name]: { unit, value: rounded } } },
  });
}

/** An event's envelope, which has no tags at all. */
export function eventEnvelope(
  sourceId: string,
  event: { readonly title: string; readonly body: string },
): Buffer {
  return encode({ source_id: sourceId, event });
}

function texts(tags: Labels): Record<string, { text: string }> {
  return Object.fromEntries(Object.entries(tags).map(([name, text]) => [name, { text }]));
}

function encode(fields: Record<string, unknown>): Buffer {
  const { Envelope } = loggregator.v2;
  const envelope = Envelope.fromObject({ timestamp: String(nowNanoseconds()), ...fields });
  return Buffer.from(Envelope.encode(envelope).finish());
}
