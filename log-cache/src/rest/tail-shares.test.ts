import http from 'node:http';
import { koaApp, listenHttp, Metrics } from '@standpipe/plumbing';
import { eventually } from '@standpipe/plumbing/testing';
import test from 'ava';
import { setView } from '../access/view.ts';
import { ReadError } from '../read-error.ts';
import { TailHub } from '../tail/hub.ts';
import { LocalTails } from '../tail/local-tails.ts';
import { metricOf, testStore } from '../testing.ts';
import { silent } from '../testing-cluster.ts';
import { logCacheRoutes } from './routes.ts';
import { TailShares } from './tail-shares.ts';
import { leaveWhileAsked } from './testing-leaving.ts';

test('one client has a hundred tails and no more, and others have theirs', (t) => {
  const metrics = new Metrics({ origin: 'test' });
  const shares = new TailShares(metrics);
  const taken = Array.from({ length: 100 }, () => shares.take('a'));
  t.throws(() => shares.take('a'), {
    instanceOf: ReadError,
    message: 'you have 100 tails already',
  });
  t.is(metricOf(metrics, 'log_cache_tails_refused'), 1);
  shares.take('b')[Symbol.dispose]();
  taken.pop()?.[Symbol.dispose]();
  taken.push(shares.take('a'));
  t.throws(() => shares.take('a'));
  for (const one of taken) one[Symbol.dispose]();
  t.is(shares.size, 0, 'nobody is remembered who has none');
});

test('over HTTP a client is known by his token or his address, and gets his share back', async (t) => {
  const { store, reader, metrics } = testStore();
  const tails = new LocalTails(new TailHub({ store, metrics }));
  const log = silent();
  const app = koaApp(log)
    .use(async (ctx, next) => {
      const client = ctx.get('Client');
      if (client !== '') setView(ctx, { sources: undefined, client });
      await next();
    })
    .use(logCacheRoutes(reader, { tails, metrics }));
  const listener = await listenHttp({ address: '127.0.0.1:0', app, log, drainMs: 0 });
  t.teardown(() => listener[Symbol.asyncDispose]());
  const open = (client?: string): Promise<http.IncomingMessage> =>
    new Promise((resolve, reject) => {
      const headers = client === undefined ? {} : { Client: client };
      const options = { port: listener.port, path: '/api/v1/tail/a', headers, agent: false };
      http
        .get(options, (answer) => {
          answer.on('error', () => undefined).resume();
          resolve(answer);
        })
        .on('error', reject);
    });

  for (const client of ['a user', undefined]) {
    const opened = await Promise.all(Array.from({ length: 100 }, () => open(client)));
    t.true(opened.every(({ statusCode }) => statusCode === 200));
    t.is((await open(client)).statusCode, 429);
    const other = await open('another');
    t.is(other.statusCode, 200);
    other.destroy();
    opened[0]?.destroy();
    await eventually(async () => {
      const again = await open(client);
      again.destroy();
      return again.statusCode === 200;
    });
    for (const one of opened) one.destroy();
  }
});

test('a client who left while he was asked who he is begins no tail', async (t) => {
  const { store, reader, metrics } = testStore();
  const tails = new LocalTails(new TailHub({ store, metrics }));
  await leaveWhileAsked(t, '/api/v1/tail/a', logCacheRoutes(reader, { tails, metrics }));
  t.is(metricOf(metrics, 'log_cache_tails'), 0);
});
