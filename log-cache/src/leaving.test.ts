/** A search costs its owner nothing any more once the client has left, whatever stands between. */

import http from 'node:http';
import { status } from '@grpc/grpc-js';
import {
  koaApp,
  listenGrpc,
  listenHttp,
  Metrics,
  readTls,
  staticMembers,
  type Tls,
} from '@standpipe/plumbing';
import { eventually, testTls } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { AnswersInFlight } from './answers-in-flight.ts';
import { LogCacheClient } from './client.ts';
import { NodeReader } from './gateway/node-reader.ts';
import { createClusterReader } from './log-cache.ts';
import { canceled, ReadError } from './read-error.ts';
import { type MetaResult, type Reader, type ReadResult, readRequest } from './reader.ts';
import { logCacheRoutes } from './rest/routes.ts';
import { logCacheServices, type ServiceOptions } from './service.ts';
import { silent } from './testing-cluster.ts';
import type { Until } from './until.ts';

/** Searches until it is told that nobody wants to know any more. */
class EndlessReader implements Reader {
  searches = 0;
  givenUp = 0;

  async read(_request: unknown, { gone }: Until = {}): Promise<ReadResult> {
    this.searches += 1;
    return new Promise((_, reject) => {
      gone?.addEventListener('abort', () => {
        this.givenUp += 1;
        reject(canceled());
      });
    });
  }

  async meta(): Promise<MetaResult> {
    return { sources: new Map(), unreachable: [] };
  }
}

test('a search ends at its owner when the client of the front door hangs up', async (t) => {
  const { reader, owner } = await behindFrontDoor(t);
  const port = await served(t, reader);
  const asked = http.get({ port, path: '/api/v1/read/a?contains=x', agent: false });
  asked.on('error', () => undefined);
  await eventually(() => owner.searches === 1);
  t.is(owner.givenUp, 0);
  asked.destroy();
  await eventually(() => owner.givenUp === 1);
  t.deepEqual((await reader.meta(false)).unreachable, [], 'the owner is not to blame');
});

test('a search ends at its owner when Grpc-Timeout is over', async (t) => {
  const { client, address, owner } = await ownerAlone(t);
  const port = await served(t, new NodeReader({ client, address }));
  const code = await new Promise<number | undefined>((resolve) => {
    const headers = { 'Grpc-Timeout': '100m' };
    http.get({ port, path: '/api/v1/read/a', agent: false, headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
  });
  t.is(code, 504);
  await eventually(() => owner.givenUp === owner.searches);
});

test('a search ends at its owner when the client of a gateway hangs up', async (t) => {
  const { client, address, owner } = await ownerAlone(t);
  const port = await served(t, new NodeReader({ client, address }));
  const asked = http.get({ port, path: '/api/v1/read/a', agent: false });
  asked.on('error', () => undefined);
  await eventually(() => owner.searches === 1);
  asked.destroy();
  await eventually(() => owner.givenUp === 1);
  t.pass();
});

test('a search ends when its gRPC caller cancels, and when he waits no more', async (t) => {
  const { client, owner, impatient } = await ownerAlone(t);
  const gone = new AbortController();
  const left = t.throwsAsync(client.read(readRequest('a'), { local: true, gone: gone.signal }));
  await eventually(() => owner.searches === 1);
  gone.abort();
  t.like(await left, { code: status.CANCELLED });
  await eventually(() => owner.givenUp === 1);

  const late = await t.throwsAsync(impatient.read(readRequest('a'), { local: true }));
  t.like(late, { code: status.DEADLINE_EXCEEDED });
  await eventually(() => owner.givenUp === owner.searches);
});

test('who has left before the search begins is told nothing', async (t) => {
  const { reader } = await behindFrontDoor(t);
  const error = await t.throwsAsync(reader.read(readRequest('a'), { gone: AbortSignal.abort() }));
  t.true(error instanceof ReadError);
  t.like(error, { code: status.CANCELLED, message: 'context canceled' });
});

/** An owner over gRPC, and clients of it, the second of which does not wait long. */
async function ownerAlone(t: ExecutionContext): Promise<{
  readonly owner: EndlessReader;
  readonly address: string;
  readonly tls: Tls;
  readonly client: LogCacheClient;
  readonly impatient: LogCacheClient;
}> {
  const { doppler } = await testTls({ name: 'doppler', dns: ['log-cache'] });
  const tls = readTls(doppler);
  const owner = new EndlessReader();
  const metrics = new Metrics({ origin: 'test' });
  const answers = new AnswersInFlight();
  const read: Partial<ServiceOptions> = { local: owner, cluster: owner, metrics, answers };
  const services = logCacheServices(read as ServiceOptions); // No other service is called.
  const log = silent();
  const listener = await listenGrpc({ address: '127.0.0.1:0', tls, services, log, drainMs: 0 });
  const { address } = listener;
  const client = new LogCacheClient({ address, tls });
  const impatient = new LogCacheClient({ address, tls, readDeadlineMs: 100 });
  t.teardown(async () => {
    await client[Symbol.asyncDispose]();
    await impatient[Symbol.asyncDispose]();
    await listener[Symbol.asyncDispose]();
  });
  return { owner, address, tls, client, impatient };
}

async function behindFrontDoor(
  t: ExecutionContext,
): Promise<{ readonly owner: EndlessReader; readonly reader: Reader }> {
  const { owner, address, tls } = await ownerAlone(t);
  const reader = createClusterReader({
    members: staticMembers([{ name: 'az1', addresses: [address] }]),
    tls,
    metrics: new Metrics({ origin: 'test' }),
    log: silent(),
  });
  t.teardown(() => reader[Symbol.asyncDispose]());
  return { owner, reader };
}

/** Serves what a reader reads; returns the port. */
async function served(t: ExecutionContext, reader: Reader): Promise<number> {
  const log = silent();
  const app = koaApp(log).use(logCacheRoutes(reader));
  const listener = await listenHttp({ address: '127.0.0.1:0', app, log, headersMs: 30_000 });
  t.teardown(() => listener[Symbol.asyncDispose]());
  return listener.port;
}
