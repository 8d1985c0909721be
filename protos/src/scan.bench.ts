/**
 * What a scan costs beside a full decode, for the two shapes that are measured everywhere.
 *
 *     npm run bench -- scan
 */

import { Bench } from 'tinybench';
import { loggregator } from '../gen/messages.js';
import { Batch } from './batch.ts';
import { scanBatch } from './scan.ts';
import { cfBatch, leanBatch } from './testing.ts';

export const unit = 'envelope';
export const perRun = 100;

export function bench(options: object): Bench {
  const suite = new Bench(options);
  const batch = new Batch();
  for (const [shape, { bytes }] of [
    ['lean', leanBatch(100)],
    ['cf', cfBatch(100)],
  ] as const) {
    suite.add(`scan, ${shape}`, () => {
      scanBatch(bytes, batch);
    });
    suite.add(`protobufjs decode, ${shape}`, () => {
      loggregator.v2.EnvelopeBatch.decode(bytes);
    });
  }
  return suite;
}
