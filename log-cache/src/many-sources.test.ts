/** A front door tells of very many sources without holding up who else is there. */

import { type GrpcService, listenGrpc, readTls } from '@standpipe/plumbing';
import { testTls } from '@standpipe/plumbing/testing';
import { logCacheEgressService } from '@standpipe/protos';
import test from 'ava';
import { Clients } from './clients.ts';
import { ClusterReader } from './cluster.ts';
import { mergeMeta } from './merge-meta.ts';
import type { MetaInfo } from './meta-info.ts';
import { decodeMetaResponse, encodeMetaResponse } from './meta-message.ts';
import { metaOf } from './testing.ts';
import { silent } from './testing-cluster.ts';
import { CountedTurns } from './testing-turns.ts';

/** So many that one slice of a few milliseconds does not do, on any machine. */
const COUNT = 200_000;
const TURNS_MIN = 2;

function known(count = COUNT): Map<string, MetaInfo> {
  const info = { count: 3, expired: 1, oldest: 5n, newest: 1_700_000_000_123_456_789n };
  return new Map(Array.from({ length: count }, (_, n) => [`source-${n}`, metaOf(info)]));
}

test.serial('what a node tells of many sources is read in turns', async (t) => {
  const bytes = await encodeMetaResponse(known());
  const turns = new CountedTurns();
  t.is((await decodeMetaResponse(bytes, turns)).size, COUNT);
  t.true(turns.count >= TURNS_MIN, `${turns.count} turns`);

  const few = new CountedTurns();
  await decodeMetaResponse(await encodeMetaResponse(known(10)), few);
  t.is(few.count, 0, 'a few take none');
});

test.serial('what several nodes tell is put together in turns', async (t) => {
  const turns = new CountedTurns();
  const merged = await mergeMeta([known(), known()], turns);
  t.is(merged.size, COUNT);
  t.like(merged.get('source-7'), { count: 6, expired: 2 });
  t.true(turns.count >= TURNS_MIN, `${turns.count} turns`);
});

test.serial('a front door of two zones takes its turns for both, and for the whole', async (t) => {
  const { doppler } = await testTls({ name: 'doppler', dns: ['log-cache'] });
  const tls = readTls(doppler);
  const log = silent();
  const bytes = await encodeMetaResponse(known());
  const service: GrpcService = {
    definition: { meta: logCacheEgressService.meta },
    implementation: {
      meta: (_call: unknown, callback: (error: null, value: Buffer) => void) =>
        callback(null, bytes),
    },
    messageBytesMax: bytes.length,
  };
  const listeners = await Promise.all(
    ['az1', 'az2'].map(async (name) => {
      const services = [service];
      const listener = await listenGrpc({ address: '127.0.0.1:0', tls, services, log, drainMs: 0 });
      t.teardown(() => listener[Symbol.asyncDispose]());
      return { name, addresses: [listener.address] };
    }),
  );
  const turns = new CountedTurns();
  const clients = new Clients({ tls, turns, readDeadlineMs: 60_000 });
  t.teardown(() => clients[Symbol.asyncDispose]());
  const reader = new ClusterReader({ clients, log });
  reader.follow(listeners);
  const { sources, unreachable } = await reader.meta(false);
  t.deepEqual([sources.size, unreachable], [COUNT, []]);
  t.true(turns.count >= 3 * TURNS_MIN, `${turns.count} turns`);
});
