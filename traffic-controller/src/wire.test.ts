/** What Dopplers are asked for, and what clients get, against bytes written by field numbers alone. */

import { once } from 'node:events';
import { spyLog, testTls } from '@standpipe/plumbing/testing';
import { field, fieldsInOrder } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import WebSocket from 'ws';
import { readConfig } from './config.ts';
import { FakeDoppler, openSettings } from './testing.ts';
import { startTrafficController } from './traffic-controller.ts';

const GUID = 'b3015d69-09cd-476d-aace-ad2d824d5ab7';
const SHARD = field(1, 'nozzle');

/** The path that a client asks for, and the SubscriptionRequest of it. */
const REQUESTS: readonly (readonly [string, readonly Buffer[]])[] = [
  ['/firehose/nozzle', [SHARD]],
  ['/firehose/nozzle?', [SHARD]],
  ['/firehose/nozzle?filter-type=logs', [SHARD, field(2, field(2))]],
  ['/firehose/nozzle?filter-type=metrics', [SHARD, field(2, field(3))]],
  [`/apps/${GUID}/stream`, [field(2, field(1, GUID))]],
];

for (const [path, request] of REQUESTS) {
  test(`Dopplers are asked with exactly the bytes of a BatchSubscribe for ${path}`, async (t) => {
    const { doppler } = await reading(t, path);
    const { requestBytes } = await doppler.opened();
    t.deepEqual(fieldsInOrder(requestBytes), fieldsInOrder(Buffer.concat(request)));
  });
}

test('each payload of a Go Doppler is a frame of the very same bytes, unknown fields and all', async (t) => {
  const { doppler, received } = await reading(t, '/firehose/nozzle');
  const payloads = [field(1, 'rep'), Buffer.concat([field(1, 'rep'), field(999, 'unknown')])];
  const batch = Buffer.concat(payloads.map((payload) => field(1, payload)));
  (await doppler.opened()).sendBytes(batch);
  t.deepEqual(await received(2), payloads);
});

async function reading(
  t: ExecutionContext,
  path: string,
): Promise<{ doppler: FakeDoppler; received: (count: number) => Promise<Buffer[]> }> {
  const doppler = await FakeDoppler.listen((await testTls('doppler')).doppler);
  t.teardown(() => doppler[Symbol.asyncDispose]());
  const config = readConfig(await openSettings([doppler]));
  const controller = await startTrafficController(config, { log: spyLog() });
  t.teardown(() => controller[Symbol.asyncDispose]());
  const client = new WebSocket(`ws://${controller.address}${path}`);
  t.teardown(() => client.terminate());
  const frames: Buffer[] = [];
  client.on('message', (data: Buffer) => frames.push(data));
  await once(client, 'open');
  return {
    doppler,
    received: async (count) => {
      while (frames.length < count) await once(client, 'message');
      return frames;
    },
  };
}
