/**
 * What a syslog message costs, from the envelope's bytes to framed text, beside the way through
 * objects and strings. The scan is counted in.
 *
 *     npm run bench -- rfc5424
 */

import { Batch, loggregator, scanBatch } from '@standpipe/protos';
import { cfBatch, leanBatch } from '@standpipe/protos/testing';
import { Bench } from 'tinybench';
import { FrameBuffer } from './framing.ts';
import { type MessageStyle, Rfc5424Writer } from './rfc5424.ts';

export const unit = 'envelope';
export const perRun = 100;

const style: MessageStyle = { hostname: Buffer.alloc(0), metadata: true };

export function bench(options: object): Bench {
  const suite = new Bench(options);
  const batch = new Batch();
  const frames = new FrameBuffer();
  const writer = new Rfc5424Writer(frames);
  for (const [shape, { bytes }] of [
    ['lean', leanBatch(100)],
    ['cf', cfBatch(100)],
  ] as const) {
    suite.add(`RFC 5424 from the bytes, ${shape}`, () => {
      scanBatch(bytes, batch);
      for (let index = 0; index < batch.count; index += 1) {
        writer.write(bytes, batch.start[index] as number, batch.end[index] as number, style);
      }
      frames.take();
    });
    suite.add(`RFC 5424 decoded, through strings, ${shape}`, () => {
      const { batch: envelopes } = loggregator.v2.EnvelopeBatch.decode(bytes);
      Buffer.concat((envelopes ?? []).map(throughStrings));
    });
  }
  const strangers = Array.from({ length: 100 }, (_, first) =>
    cfBatch(100, { sourceId: (index) => `source-${first * 100 + index}` }),
  );
  let turn = 0;
  suite.add('RFC 5424 from the bytes, cf of 10,000 sources in turn, none remembered', () => {
    turn = (turn + 1) % strangers.length;
    const bytes = strangers[turn]?.bytes ?? Buffer.alloc(0);
    scanBatch(bytes, batch);
    for (let index = 0; index < batch.count; index += 1) {
      writer.write(bytes, batch.start[index] as number, batch.end[index] as number, style);
    }
    frames.take();
  });
  return suite;
}

/** The plain way: what one would write without thinking of speed. */
function throughStrings(envelope: loggregator.v2.IEnvelope): Buffer {
  const tags = envelope.tags ?? {};
  const time = new Date(Number(envelope.timestamp) / 1e6).toISOString().replace('Z', '+00:00');
  const host = [tags.organization_name, tags.space_name, tags.app_name]
    .map((part) => (part ?? '').replace(/\s+/g, '-').replace(/[^-A-Za-z0-9]/g, ''))
    .join('.');
  const data = Object.keys(tags)
    .sort()
    .map((key) => ` ${key}="${(tags[key] ?? '').replace(/[\\"\]]/g, '\\$&')}"`)
    .join('');
  const payload = Buffer.from(envelope.log?.payload ?? []).toString();
  const process = `[${(tags.source_type ?? '').toUpperCase()}/${envelope.instance_id}]`;
  const text = `<14>1 ${time} ${host} ${envelope.source_id} ${process} - [tags@47450${data}] ${payload}\n`;
  return Buffer.from(`${Buffer.byteLength(text)} ${text}`);
}
