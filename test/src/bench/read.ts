/** A worker that subscribes to a Doppler, by one stream or by many, and counts what comes. */

import { dial, readTls } from '@standpipe/plumbing';
import {
  dopplerService,
  egressService,
  FieldReader,
  loggregator,
  plumbing,
  type RawMethod,
} from '@standpipe/protos';
import { type Reads, sourceOf, type WorkerOptions } from './workers.ts';

/** The field of EnvelopeBatch and of BatchResponse that holds an envelope. */
const ENVELOPE = 1;

const options = JSON.parse(process.argv[2] ?? '{}') as WorkerOptions;
const client = dial({ address: options.address, tls: readTls(options.tls), serverName: 'doppler' });
const { protocol, appStreams }: Reads = options.reads ?? { protocol: 'v2' };
const fields = new FieldReader();
let envelopes = 0;
let messages = 0;

if (appStreams === undefined) open('');
else for (let index = 0; index < appStreams; index += 1) open(sourceOf(index));

process.on('message', () => process.send?.({ envelopes, messages }));
process.send?.({ envelopes, messages });

/** Subscribes to one source, or to everything. */
function open(source: string): void {
  const { method, request } = protocol === 'v1' ? requestV1(source) : requestV2(source);
  const { path, requestSerialize, responseDeserialize } = method;
  const bytes = Buffer.from(request);
  const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, bytes);
  stream.on('data', (message: Buffer) => {
    messages += 1;
    fields.over(message, 0, message.length);
    while (fields.next()) if (fields.field === ENVELOPE) envelopes += 1;
  });
  stream.on('error', (error) => {
    process.stderr.write(`the reader's stream broke: ${error.message}\n`);
    process.exit(1);
  });
}

interface Subscription {
  readonly method: RawMethod;
  readonly request: Uint8Array;
}

function requestV2(source: string): Subscription {
  const kinds = [{ log: {} }, { counter: {} }, { gauge: {} }, { timer: {} }, { event: {} }];
  const request = loggregator.v2.EgressBatchRequest.encode({
    shard_id: source === '' ? 'bench' : '',
    use_preferred_tags: true,
    selectors: kinds.map((kind) => ({ source_id: source, ...kind })),
  }).finish();
  return { method: egressService.batchedReceiver, request };
}

function requestV1(source: string): Subscription {
  const request = plumbing.SubscriptionRequest.encode({
    shardID: source === '' ? 'bench' : '',
    filter: { appID: source },
  }).finish();
  return { method: dopplerService.batchSubscribe, request };
}
