/**
 * Sends batches of encoded envelopes over mutual TLS, to one peer or to the owners of their sources.
 *
 * Batches are encoded before anything is measured; only their times move. Each has envelopes of as
 * many sources as it can, which is what an agent's or a Doppler's batches look like, and the worst
 * for whoever reads one source.
 */

import { once } from 'node:events';
import type { ClientWritableStream } from '@grpc/grpc-js';
import { dial, readTls } from '@standpipe/plumbing';
import {
  Batch,
  encodeVarint64,
  ingressService,
  nowNanoseconds,
  ownerOf,
  scanBatch,
  splitTime,
} from '@standpipe/protos';
import { cfBatch, leanBatch, randomFrom } from '@standpipe/protos/testing';
import { type LoadCommand, type LoadOptions, type Peer, sourceOf } from '../worker.ts';
import { paced } from './paced.ts';
import { fail, optionsOf, serve } from './serve.ts';

/** Different batches for each peer. */
const BATCHES = 100;
/** An envelope begins with its timestamp: a tag, and nine bytes until the year 2262. */
const TIMESTAMP_OFFSET = 1;

interface Lane {
  readonly stream: ClientWritableStream<Buffer>;
  readonly batches: readonly (() => Buffer)[];
}

const options = optionsOf<LoadOptions>();
const tls = readTls(options.tls);
const lanes = options.peers.map((peer, index) => ({
  stream: open(peer),
  batches: batchesFor(index),
}));
let round = 0;

serve<LoadCommand>(async (command) => ({
  envelopes: await paced(command, options.perMessage, () => {
    const lane = lanes[round % lanes.length] as Lane; // Below its length.
    const batch = lane.batches[Math.floor(round / lanes.length) % BATCHES];
    round += 1;
    if (!batch || lane.stream.write(batch())) return undefined;
    return once(lane.stream, 'drain');
  }),
}));

function open({ address, serverName }: Peer): ClientWritableStream<Buffer> {
  const { path, requestSerialize, responseDeserialize } = ingressService.batchSender;
  const client = dial({ address, tls, serverName });
  const ended = (): void => undefined; // The stream's error says the same.
  const stream = client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, ended);
  stream.on('error', fail('the stream of the load'));
  return stream;
}

function batchesFor(peer: number): (() => Buffer)[] {
  const all = Array.from({ length: options.sources }, (_, index) => sourceOf(index));
  const owned = all.filter((source) => ownerOf(source, options.peers.length) === peer);
  const order = options.isShuffled ? { shuffle: randomFrom(peer) } : {};
  const shaped = options.shape === 'cf' ? cfBatch : leanBatch;
  return Array.from({ length: BATCHES }, (_, batch) => {
    const first = batch * options.perMessage;
    const sourceId = (index: number): string => owned[(first + index) % owned.length] ?? '';
    return stamped(shaped(options.perMessage, { sourceId, ...order }).bytes);
  });
}

/** A batch that says the time anew at each call, a microsecond later for each envelope. */
function stamped(bytes: Buffer): () => Buffer {
  const batch = new Batch();
  if (!scanBatch(bytes, batch)) throw new Error(batch.mistake);
  const starts = batch.start.slice(0, batch.count);
  return () => {
    let { high, low } = splitTime(nowNanoseconds());
    for (const start of starts) {
      encodeVarint64(bytes, start + TIMESTAMP_OFFSET, high, low);
      low += 1000;
      if (low < 2 ** 32) continue;
      low -= 2 ** 32;
      high += 1;
    }
    return bytes;
  };
}
