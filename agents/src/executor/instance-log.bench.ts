/**
 * What a line of an instance costs, from the bytes that came out of a pipe to its envelope in a
 * batch: short lines that lie within a chunk, lines that span two, and lines with a rate limit.
 *
 *     npm run bench -- instance-log
 */

import { Metrics } from '@standpipe/plumbing';
import { BatchBuilder } from '@standpipe/protos';
import { Bench } from 'tinybench';
import { parseApps } from './apps-file.ts';
import { InstanceLog } from './instance-log.ts';
import { executorMetrics } from './metrics.ts';

const LINES = 500;
const LINE = '127.0.0.1 - - "GET /checkout HTTP/1.1" 200 85 "visitor" 0.067';
/** As many envelopes as an agent's client puts into a batch. */
const BATCH = 100;

export const unit = 'line';
export const perRun: number = LINES;

export function bench(options: object): Bench {
  const suite = new Bench(options);
  const whole = Buffer.from(`${LINE}\n`.repeat(LINES));
  const cut = Array.from({ length: LINES }, (_, n) => {
    const size = LINE.length + 1;
    return whole.subarray(Math.max(0, n * size - 7), (n + 1) * size - (n === LINES - 1 ? 0 : 7));
  });

  const plain = streamOf({});
  const limited = streamOf({ log_rate_limit: '1T' });
  suite.add('500 lines in a chunk', () => plain.push(whole));
  suite.add('500 lines, each in two chunks', () => {
    for (const chunk of cut) plain.push(chunk);
  });
  suite.add('500 lines in a chunk, under a rate limit', () => limited.push(whole));
  return suite;
}

function streamOf(fields: object): { push(chunk: Buffer): void } {
  const [app] = parseApps(JSON.stringify([{ name: 'shop', command: 'x', ...fields }]), '/');
  if (!app) throw new Error('there is no app');
  const builder = new BatchBuilder();
  const log = new InstanceLog({
    app,
    index: 0,
    instanceGuid: '8c2f3a9e-5a3b-4b61-9a53-0c1d2e3f4a5b',
    emit: (envelope) => {
      builder.addBytes(envelope);
      if (builder.count === BATCH) builder.take();
    },
    metrics: executorMetrics(new Metrics({ origin: 'executor' })),
  });
  return log.stream('OUT');
}
