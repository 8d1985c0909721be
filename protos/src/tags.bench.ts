/**
 * What it costs to move the tags of an envelope to the map that a consumer reads.
 *
 *     npm run bench -- tags
 */

import { Bench } from 'tinybench';
import { Batch } from './batch.ts';
import { BatchBuilder } from './builder.ts';
import { scanBatch } from './scan.ts';
import { TagPreference } from './tags.ts';
import { cfBatch, leanBatch } from './testing.ts';

export const unit = 'envelope';
export const perRun = 100;

export function bench(options: object): Bench {
  const suite = new Bench(options);
  const preference = new TagPreference();
  for (const [shape, { bytes }] of [
    ['lean', leanBatch(100)],
    ['cf', cfBatch(100)],
  ] as const) {
    for (const how of ['prefer', 'deprecate'] as const) {
      const batch = new Batch();
      scanBatch(bytes, batch);
      const builder = new BatchBuilder();
      suite.add(`${how}, ${shape}`, () => {
        for (let index = 0; index < batch.count; index += 1) preference[how](batch, index, builder);
        builder.take();
      });
    }
  }
  return suite;
}
