/**
 * What an envelope costs as JSON: written from its bytes, and by way of decoded values.
 *
 *     npm run bench -- json
 */

import { Bench } from 'tinybench';
import { loggregator } from '../gen/messages.js';
import { JsonWriter } from './json.ts';
import { cfBatch, encodeBatch, leanBatch, randomEnvelopes } from './testing.ts';

export const unit = 'envelope';
export const perRun = 100;

const OPTIONS = { longs: String, bytes: String, enums: String, defaults: true };

export function bench(options: object): Bench {
  const suite = new Bench(options);
  const writer = new JsonWriter();
  for (const [shape, bytes] of [
    ['lean', leanBatch(100).bytes],
    ['cf', cfBatch(100).bytes],
    ['every kind', encodeBatch(randomEnvelopes(1, 100))],
  ] as const) {
    suite.add(`JSON from bytes, ${shape}`, () => {
      writer.batch(bytes).take();
    });
    suite.add(`protobufjs decode, JSON.stringify, ${shape}`, () => {
      const { EnvelopeBatch } = loggregator.v2;
      Buffer.from(JSON.stringify(EnvelopeBatch.toObject(EnvelopeBatch.decode(bytes), OPTIONS)));
    });
  }
  const strangers = Array.from({ length: 100 }, (_, batch) =>
    cfBatch(100, { sourceId: (index) => `source ${batch * 100 + index}` }),
  );
  let turn = 0;
  suite.add('JSON from bytes, cf of 10,000 sources in turn, so that none is remembered', () => {
    turn = (turn + 1) % strangers.length;
    writer.batch(strangers[turn]?.bytes ?? Buffer.alloc(0)).take();
  });
  return suite;
}
