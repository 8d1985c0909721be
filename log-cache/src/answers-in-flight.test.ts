import http from 'node:http';
import { koaApp, listenHttp, Metrics } from '@standpipe/plumbing';
import { eventually } from '@standpipe/plumbing/testing';
import test from 'ava';
import { AnswersInFlight } from './answers-in-flight.ts';
import type { Reader } from './reader.ts';
import { logCacheRoutes } from './rest/routes.ts';
import { leaveWhileAsked } from './rest/testing-leaving.ts';
import { line, metaOf, metricOf, testStore } from './testing.ts';
import { silent } from './testing-cluster.ts';

const NOTHING = { count: 0, expired: 0, oldest: 0n, newest: 0n };

test('refuses a read when too much is on its way to slow clients, until they leave', async (t) => {
  const { put, reader } = testStore({ memoryLimitBytes: 64 * 2 ** 20 });
  // In JSON each letter has six bytes: that is more than a connection takes by itself.
  for (let n = 0; n < 8; n += 1) put({ ...line('a', n), instance_id: '\u0001'.repeat(1_000_000) });
  put(line('b', 1));
  const metrics = new Metrics({ origin: 'test' });
  const answers = new AnswersInFlight(metrics, 4_000_000);
  const log = silent();
  const app = koaApp(log).use(logCacheRoutes(reader, { answers }));
  const listener = await listenHttp({ address: '127.0.0.1:0', app, log, headersMs: 30_000 });
  t.teardown(() => listener[Symbol.asyncDispose]());
  const { port } = listener;

  const slow = await answerOf(port, '/api/v1/read/a');
  slow.on('error', () => undefined);
  const refused = await answerOf(port, '/api/v1/read/b');
  refused.resume();
  t.is(refused.statusCode, 429);
  t.is(metricOf(metrics, 'log_cache_reads_refused'), 1);
  slow.destroy();
  for (const path of ['/api/v1/read/b', '/api/v1/read/a?limit=1', '/api/v1/read/a?limit=1']) {
    await eventually(async () => (await answerOf(port, path)).resume().statusCode === 200);
  }
});

for (const metaDialect of ['gateway', 'auth-proxy'] as const) {
  test(`refuses meta likewise, as the ${metaDialect} writes it`, async (t) => {
    // As above: more than a connection takes by itself.
    const ids = Array.from({ length: 8 }, (_, n) => `${n}${'\u0001'.repeat(1_000_000)}`);
    const sources = new Map(ids.map((id) => [id, metaOf({ ...NOTHING, count: 1 })]));
    const reader: Reader = {
      read: () => Promise.reject(new Error('is not read')),
      meta: async () => ({ sources, unreachable: [] }),
    };
    const metrics = new Metrics({ origin: 'test' });
    const answers = new AnswersInFlight(metrics, 4_000_000);
    const log = silent();
    const app = koaApp(log).use(logCacheRoutes(reader, { answers, metaDialect }));
    const listener = await listenHttp({ address: '127.0.0.1:0', app, log, headersMs: 30_000 });
    t.teardown(() => listener[Symbol.asyncDispose]());
    const { port } = listener;

    const slow = await answerOf(port, '/api/v1/meta');
    slow.on('error', () => undefined);
    t.is(slow.statusCode, 200);
    const refused = await answerOf(port, '/api/v1/meta', { 'Accept-Encoding': 'identity' });
    refused.resume();
    t.is(refused.statusCode, 429);
    t.is(metricOf(metrics, 'log_cache_reads_refused'), 1);
    const small = await answerOf(port, '/api/v1/meta', { 'Accept-Encoding': 'gzip' });
    small.resume();
    t.deepEqual([small.statusCode, small.headers['content-encoding']], [429, undefined]);
    slow.destroy();
    await eventually(
      async () => (await answerOf(port, '/api/v1/meta')).resume().statusCode === 200,
    );
  });
}

test('gives back what it holds for a client who left before he was to be answered', async (t) => {
  const { put, reader } = testStore();
  put(line('a', 1));
  const answers = new AnswersInFlight();
  await leaveWhileAsked(t, '/api/v1/read/a', logCacheRoutes(reader, { answers }));
  t.is(answers.byteLength, 0);
});

/** An answer of which nothing is read yet. */
function answerOf(
  port: number,
  path: string,
  headers: http.OutgoingHttpHeaders = {},
): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    http.get({ port, path, agent: false, headers }, resolve).on('error', reject);
  });
}
