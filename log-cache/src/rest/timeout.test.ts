import { EventEmitter, once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import { koaApp, listenHttp, readTls } from '@standpipe/plumbing';
import { testTls } from '@standpipe/plumbing/testing';
import test from 'ava';
import { canceled } from '../read-error.ts';
import type { MetaResult, Reader, ReadRequest, ReadResult } from '../reader.ts';
import { silent } from '../testing-cluster.ts';
import type { Until } from '../until.ts';
import { logCacheRoutes } from './routes.ts';

const PATH = '/api/v1/read/a';

/** Reads until nobody waits for it any more, and says when it begins and when it is told. */
class EndlessReader extends EventEmitter implements Reader {
  read(_request: ReadRequest, { gone }: Until = {}): Promise<ReadResult> {
    return new Promise((_, reject) => {
      gone?.addEventListener('abort', () => {
        this.emit('left');
        reject(canceled());
      });
      this.emit('asked');
    });
  }

  meta(): Promise<MetaResult> {
    return Promise.resolve({ sources: new Map(), unreachable: [] });
  }
}

test('a read hears that its client has left, over HTTP/1.1', async (t) => {
  const reader = new EndlessReader();
  const log = silent();
  const app = koaApp(log).use(logCacheRoutes(reader));
  const listener = await listenHttp({ address: '127.0.0.1:0', app, log, drainMs: 0 });
  t.teardown(() => listener[Symbol.asyncDispose]());
  const asked = once(reader, 'asked');
  const left = once(reader, 'left');
  const request = http.get({ port: listener.port, path: PATH, agent: false });
  request.on('error', () => undefined);
  await asked;
  request.destroy();
  await t.notThrowsAsync(left);
});

test('a read hears that its client has left, over HTTP/2', async (t) => {
  const reader = new EndlessReader();
  const log = silent();
  const app = koaApp(log).use(logCacheRoutes(reader));
  const { doppler } = await testTls({ name: 'doppler', dns: ['localhost'] });
  const tls = readTls(doppler);
  const common = { address: '127.0.0.1:0', app, log, tls, http2: true, drainMs: 0 };
  const listener = await listenHttp(common);
  t.teardown(() => listener[Symbol.asyncDispose]());
  const { ca, cert, key } = tls;
  const session = http2.connect(`https://localhost:${listener.port}`, { ca, cert, key });
  session.on('error', () => undefined);
  t.teardown(() => session.destroy());
  const asked = once(reader, 'asked');
  const left = once(reader, 'left');
  const stream = session.request({ ':path': PATH });
  stream.on('error', () => undefined);
  await asked;
  stream.close(http2.constants.NGHTTP2_CANCEL);
  await t.notThrowsAsync(left);
});
