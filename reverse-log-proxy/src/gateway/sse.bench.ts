/**
 * What an envelope costs as a server-sent event: from a batch's bytes, as a stream writes it, and
 * by way of decoded values.
 *
 *     npm run bench -- sse
 */

import { createLogger, Metrics } from '@standpipe/plumbing';
import { loggregator } from '@standpipe/protos';
import { cfBatch, encodeBatch, leanBatch, randomEnvelopes } from '@standpipe/protos/testing';
import { Bench } from 'tinybench';
import { gatewayMetrics } from './metrics.ts';
import { SseContext } from './sse.ts';

export const unit = 'envelope';
export const perRun = 100;

const OPTIONS = { longs: String, bytes: String, enums: String, defaults: true };

export function bench(options: object): Bench {
  const suite = new Bench(options);
  const context = new SseContext({
    metrics: gatewayMetrics(new Metrics({ origin: 'bench' })),
    log: createLogger('bench'),
    heartbeatMs: 15_000,
    timeoutMs: 60_000,
    stallMs: 60_000,
  });
  for (const [shape, bytes] of [
    ['lean', leanBatch(100).bytes],
    ['cf', cfBatch(100).bytes],
    ['every kind', encodeBatch(randomEnvelopes(1, 100))],
  ] as const) {
    suite.add(`SSE from bytes, scan and JSON, ${shape}`, () => {
      context.event(bytes);
    });
    suite.add(`SSE through objects and JSON.stringify, ${shape}`, () => {
      const { EnvelopeBatch } = loggregator.v2;
      const batch = EnvelopeBatch.toObject(EnvelopeBatch.decode(bytes), OPTIONS);
      Buffer.from(`data: ${JSON.stringify(batch)}\n\n`);
    });
  }
  return suite;
}
