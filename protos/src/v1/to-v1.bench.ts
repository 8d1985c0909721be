/**
 * What an envelope costs on its way to v1: from bytes to bytes, and by way of decoded values.
 *
 *     npm run bench -- to-v1
 */

import { Bench } from 'tinybench';
import { events, loggregator } from '../../gen/messages.js';
import { Batch } from '../batch.ts';
import { scanBatch } from '../scan.ts';
import { cfBatch, encodeBatch, leanBatch } from '../testing.ts';
import { ToV1 } from './to-v1.ts';

export const unit = 'envelope';
export const perRun = 100;

export function bench(options: object): Bench {
  const suite = new Bench(options);
  const toV1 = new ToV1();
  for (const [shape, bytes] of [
    ['lean', leanBatch(100).bytes],
    ['cf', cfBatch(100).bytes],
    ['HTTP timers', timers()],
  ] as const) {
    const batch = new Batch();
    scanBatch(bytes, batch);
    suite.add(`v1 from bytes, ${shape}`, () => {
      toV1.convert(batch);
    });
    suite.add(`protobufjs decode, and encode as v1, ${shape}`, () => {
      for (const envelope of loggregator.v2.EnvelopeBatch.decode(bytes).batch) {
        events.Envelope.encode(byValues(envelope)).finish();
      }
    });
  }
  const strangers = Array.from({ length: 100 }, (_, batch) => {
    const { bytes } = cfBatch(100, { sourceId: (index) => `source ${batch * 100 + index}` });
    const scanned = new Batch();
    scanBatch(bytes, scanned);
    return scanned;
  });
  let turn = 0;
  suite.add('v1 from bytes, cf of 10,000 sources in turn, so that none is remembered', () => {
    turn = (turn + 1) % strangers.length;
    toV1.convert(strangers[turn] as Batch); // Below its length.
  });
  return suite;
}

/** Not the whole conversion: what any that goes by way of values must do at least. */
function byValues(v2: loggregator.v2.IEnvelope): events.IEnvelope {
  const { origin = '', deployment = '', job = '', index = '', ip = '', ...tags } = v2.tags ?? {};
  return {
    origin,
    deployment,
    job,
    index,
    ip,
    tags: { ...tags, source_id: v2.source_id ?? '' },
    eventType: events.Envelope.EventType.LogMessage,
    timestamp: v2.timestamp ?? 0,
    logMessage: {
      message: v2.log?.payload ?? Buffer.alloc(0),
      message_type: 1,
      timestamp: v2.timestamp ?? 0,
      app_id: v2.source_id ?? '',
      source_instance: v2.instance_id ?? '',
    },
  };
}

function timers(): Buffer {
  const id = '73467cc3-261a-472e-80e8-d6eadfd30d98';
  return encodeBatch(
    Array.from({ length: 100 }, () => ({
      source_id: id,
      instance_id: '0',
      tags: {
        request_id: id,
        method: 'GET',
        peer_type: 'Server',
        uri: 'https://shop.example.com/checkout',
        remote_address: '10.0.16.24:61001',
        user_agent: 'Mozilla/5.0',
        status_code: '200',
        content_length: '1234',
        forwarded: '10.1.2.3',
        origin: 'gorouter',
      },
      timer: { name: 'http', start: 1, stop: 2 },
    })),
  );
}
