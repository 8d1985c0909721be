/** A worker that subscribes to everything a Doppler has and counts it. */

import { dial, readTls } from '@standpipe/plumbing';
import { Batch, egressService, loggregator, scanBatch } from '@standpipe/protos';
import type { WorkerOptions } from './workers.ts';

const { EgressBatchRequest } = loggregator.v2;

const options = JSON.parse(process.argv[2] ?? '{}') as WorkerOptions;
const client = dial({ address: options.address, tls: readTls(options.tls), serverName: 'doppler' });
const { path, requestSerialize, responseDeserialize } = egressService.batchedReceiver;
const request = EgressBatchRequest.encode({
  shard_id: 'bench',
  use_preferred_tags: true,
  selectors: [{ log: {} }, { counter: {} }, { gauge: {} }, { timer: {} }, { event: {} }],
}).finish();
const stream = client.makeServerStreamRequest(
  path,
  requestSerialize,
  responseDeserialize,
  Buffer.from(request),
);

const batch = new Batch();
let envelopes = 0;
stream.on('data', (bytes: Buffer) => {
  if (scanBatch(bytes, batch)) envelopes += batch.count;
});
stream.on('error', (error) => {
  process.stderr.write(`the reader's stream broke: ${error.message}\n`);
  process.exit(1);
});

process.on('message', () => process.send?.({ envelopes }));
process.send?.({ envelopes: 0 });
