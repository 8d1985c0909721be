/** A worker that sends batches of 100 encoded envelopes to a Doppler at a steady rate. */

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { dial, readTls } from '@standpipe/plumbing';
import {
  Batch,
  encodeVarint64,
  ingressService,
  nowNanoseconds,
  type PackedBatch,
  scanBatch,
  splitTime,
} from '@standpipe/protos';
import { cfBatch, leanBatch } from '@standpipe/protos/testing';
import { type LoadCommand, SOURCES, sourceOf, type WorkerOptions } from './workers.ts';

const BATCH = 100;
const TICK_MS = 4;
/** An envelope begins with its timestamp: a tag, and nine bytes until the year 2262. */
const TIMESTAMP_OFFSET = 1;

const options = JSON.parse(process.argv[2] ?? '{}') as WorkerOptions;
const client = dial({ address: options.address, tls: readTls(options.tls), serverName: 'doppler' });
const { path, requestSerialize, responseDeserialize } = ingressService.batchSender;
const stream = client.makeClientStreamRequest(
  path,
  requestSerialize,
  responseDeserialize,
  () => {},
);
stream.on('error', (error) => {
  process.stderr.write(`the load's stream broke: ${error.message}\n`);
  process.exit(1);
});

const shaped = options.shape === 'cf' ? cfBatch : leanBatch;
const batches = Array.from({ length: SOURCES }, (_, round) =>
  stamped(
    shaped(BATCH, {
      sourceId: (index) => sourceOf(round + index),
    }),
  ),
);

process.on('message', (command: LoadCommand) => void load(command));
process.send?.({ envelopes: 0 });

/** A batch that says the time anew at each call, a microsecond later for each envelope. */
function stamped({ bytes }: PackedBatch): () => Buffer {
  const batch = new Batch();
  if (!scanBatch(bytes, batch)) throw new Error(batch.mistake);
  return () => {
    const now = nowNanoseconds();
    for (let index = 0; index < BATCH; index += 1) {
      const { high, low } = splitTime(now + BigInt(index) * 1000n);
      encodeVarint64(bytes, (batch.start[index] ?? 0) + TIMESTAMP_OFFSET, high, low);
    }
    return bytes;
  };
}

/** Sends what is due at each tick; when the Doppler does not keep up, waits for it. */
async function load({ perSecond, seconds }: LoadCommand): Promise<void> {
  const startedAt = performance.now();
  let sent = 0;
  for (;;) {
    const elapsed = (performance.now() - startedAt) / 1000;
    if (elapsed >= seconds) break;
    for (const due = elapsed * perSecond; sent < due; sent += BATCH) {
      const batch = batches[(sent / BATCH) % SOURCES];
      if (batch && !stream.write(batch())) await once(stream, 'drain');
    }
    await sleep(TICK_MS);
  }
  process.send?.({ envelopes: sent });
}
