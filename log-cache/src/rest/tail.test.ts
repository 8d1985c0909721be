import http from 'node:http';
import { connect } from 'node:net';
import { status } from '@grpc/grpc-js';
import { createLogger, koaApp, listenHttp, Metrics } from '@standpipe/plumbing';
import { eventually } from '@standpipe/plumbing/testing';
import { longOf } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { LocalReader } from '../local-reader.ts';
import { ReadError } from '../reader.ts';
import { Store } from '../store.ts';
import { TailHub } from '../tail/hub.ts';
import { LocalTails } from '../tail/local-tails.ts';
import type { Tails } from '../tail/tail.ts';
import { batchOf, type EnvelopeInit, line, metricOf } from '../testing.ts';
import { eventId, placesOf } from './event-id.ts';
import { logCacheNotFound, logCacheRoutes } from './routes.ts';

interface SseEvent {
  readonly id?: string;
  readonly event?: string;
  readonly data?: string;
}

interface Opened {
  readonly status: number | undefined;
  readonly headers: http.IncomingHttpHeaders;
  text: string;
  ended: boolean;
  close(): void;
  events(): SseEvent[];
  /** The timestamps of all envelopes so far. */
  times(): string[];
}

test('gives envelopes as events, in the JSON of a read', async (t) => {
  const { open, put, ask } = await served(t);
  put(line('a', 1));
  const tail = await open('/api/v1/tail/a');
  t.is(tail.status, 200);
  t.is(tail.headers['content-type'], 'text/event-stream');
  t.is(tail.headers['cache-control'], 'no-cache');
  t.is(tail.headers['content-encoding'], undefined);
  put(line('a', 2), line('b', 3));
  await eventually(() => tail.times().length === 1);
  const [event] = tail.events().filter(({ data }) => data !== undefined);
  t.is(`${event?.data}\n`, await ask('/api/v1/read/a?start_time=2'));
  t.is(event?.event, undefined);
  t.truthy(event?.id);
});

test('filters as a read does, and begins at its start', async (t) => {
  const { open, put } = await served(t);
  put(line('a/b', 1), line('a/b', 2), line('a/b', 3));
  const tail = await open(
    '/v1/tail/a%2Fb?start_time=2&contains=line&tag=source_type:APP%2FPROC%2FWEB&envelope_types=LOG',
  );
  put(line('a/b', 4), { source_id: 'a/b', log: { payload: Buffer.from('line') } });
  await eventually(() => tail.times().length === 3);
  t.deepEqual(tail.times(), ['2', '3', '4']);
});

test('goes on after Last-Event-ID, without loss or repeat', async (t) => {
  const { open, put } = await served(t);
  const first = await open('/api/v1/tail/a');
  put(line('a', 7), line('a', 8));
  await eventually(() => first.times().length === 2);
  const id = first.events().findLast((event) => event.id !== undefined)?.id;
  first.close();
  put(line('a', 3), line('a', 9));
  const second = await open('/api/v1/tail/a', { 'Last-Event-ID': id ?? '' });
  await eventually(() => second.times().length === 2);
  t.deepEqual(second.times(), ['3', '9']);
  t.deepEqual(
    second.events().filter(({ event }) => event !== undefined),
    [],
  );
});

test('goes on after an id that is not known any more, and says that there is a gap', async (t) => {
  const { open, put } = await served(t);
  put(line('a', 7), line('a', 8));
  const tail = await open('/api/v1/tail/a', { 'Last-Event-ID': '~gone~12~7' });
  await eventually(() => tail.times().length === 1);
  t.deepEqual(tail.times(), ['8']);
  const [gap] = tail.events().filter(({ event }) => event === 'gap');
  t.deepEqual(JSON.parse(gap?.data ?? ''), { zone: '', reason: 'unknown', after: '7' });
});

test('beats while nothing comes', async (t) => {
  const { open } = await served(t, { heartbeatMs: 10 });
  const tail = await open('/api/v1/tail/a');
  const beats = (): SseEvent[] => tail.events().filter(({ event }) => event === 'heartbeat');
  await eventually(() => beats().length >= 2);
  t.regex(beats()[0]?.data ?? '', /^\d{10}$/);
});

test('a client that reads too slowly is told how much it has lost, and gets the newest', async (t) => {
  const { put, port, metrics } = await served(t);
  const client = connect(port, '127.0.0.1');
  t.teardown(() => client.destroy());
  client.write('GET /api/v1/tail/a HTTP/1.1\r\nHost: x\r\n\r\n');
  await eventually(() => metricOf(metrics, 'log_cache_tails') === 1);
  const payload = Buffer.alloc(1000, 'x');
  const count = 40_000;
  for (let n = 1; n <= count; n += 100) {
    const inits = Array.from({ length: 100 }, (_, i) => ({
      source_id: 'a',
      timestamp: longOf(BigInt(n + i)),
      log: { payload },
    }));
    put(...inits);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const lost = metricOf(metrics, 'log_cache_tail_dropped') ?? 0;
  t.true(lost > 0);

  let text = '';
  client.on('data', (part) => {
    text += part;
  });
  await eventually(() => text.includes(`"timestamp":"${count}"`));
  const gaps = [...text.matchAll(/"reason":"slow","count":"(\d+)"/g)].map(([, n]) => Number(n));
  const given = [...text.matchAll(/"timestamp":"/g)].length;
  t.is(given + gaps.reduce((total, n) => total + (n ?? 0), 0), count);
});

test('ends when the client leaves', async (t) => {
  const { open, metrics } = await served(t);
  const tail = await open('/api/v1/tail/a');
  t.is(metricOf(metrics, 'log_cache_tails'), 1);
  tail.close();
  await eventually(() => metricOf(metrics, 'log_cache_tails') === 0);
});

test('ends the answer when the tails end', async (t) => {
  const { open, hub } = await served(t);
  const tail = await open('/api/v1/tail/a');
  hub[Symbol.dispose]();
  await eventually(() => tail.ended);
  t.is(tail.status, 200);
});

for (const [what, path, headers, code, message] of [
  ['a bad expression', '/api/v1/tail/a?matches=(', {}, 400, /must be a valid regular expression/],
  ['a bad name filter', '/api/v1/tail/a?name_filter=(', {}, 500, /must be a valid regular/],
  ['a bad number', '/api/v1/tail/a?start_time=x', {}, 400, /parsing field/],
  [
    'a misspelt parameter',
    '/api/v1/tail/a?contians=x',
    {},
    400,
    /unknown parameter "contians": did you mean "contains"\?/,
  ],
  ['what only a read has', '/api/v1/tail/a?limit=1', {}, 400, /unknown parameter "limit"$/],
  ['a bad id', '/api/v1/tail/a', { 'Last-Event-ID': 'x' }, 400, /Last-Event-ID/],
  ['a semicolon', '/api/v1/tail/a?a;b', {}, 400, /semicolon/],
] as const) {
  test(`refuses ${what} before it answers`, async (t) => {
    const { open } = await served(t);
    const tail = await open(path, headers);
    await eventually(() => tail.ended);
    t.is(tail.status, code);
    t.is(tail.headers['content-type'], 'application/json');
    t.regex(JSON.parse(tail.text).message, message);
  });
}

test('answers other methods, and a path without source, as for any path', async (t) => {
  const { open } = await served(t);
  t.is((await open('/api/v1/tail/a', {}, 'PUT')).status, 501);
  t.is((await open('/api/v1/tail/a', {}, 'HEAD')).status, 501);
  t.is((await open('/api/v1/tail')).status, 404);
  t.is((await open('/api/v1/tail/%zz')).status, 400);
});

test('is refused with the status of whoever refuses it', async (t) => {
  const tails: Tails = {
    // biome-ignore lint/correctness/useYield: it gives nothing.
    async *tail() {
      throw new ReadError(status.RESOURCE_EXHAUSTED, 'there are too many');
    },
  };
  const { open } = await served(t, { tails });
  const tail = await open('/api/v1/tail/a');
  await eventually(() => tail.ended);
  t.is(tail.status, 429);
  t.is(tail.text, '{"code":8,"message":"there are too many","details":[]}\n');
});

test('tells in the stream who is missing, what is missing, and why it ends', async (t) => {
  const batch = batchOf([line('a', 1)]).pack();
  const place = { run: 'r', arrival: 3, time: 1n, backlog: undefined };
  const tails: Tails = {
    async *tail() {
      yield { zone: '', batch: batch.first(0), place: undefined, gaps: [], missing: ['az2/1'] };
      const gaps = [{ reason: 'slow', count: 7, after: -1n }] as const;
      yield { zone: 'az1', batch, place, gaps, missing: undefined };
      throw new ReadError(status.RESOURCE_EXHAUSTED, 'too slow');
    },
  };
  const { open } = await served(t, { tails });
  const tail = await open('/api/v1/tail/a');
  await eventually(() => tail.ended);
  const told = tail.events().filter(({ event }) => event !== undefined);
  t.deepEqual(told, [
    { event: 'missing', data: '{"nodes":["az2/1"]}' },
    { event: 'gap', data: '{"zone":"az1","reason":"slow","count":"7","after":"-1"}' },
    { event: 'error', data: '{"code":8,"message":"too slow"}' },
  ]);
  t.deepEqual(tail.times(), ['1']);
  t.is(tail.events().find(({ id }) => id !== undefined)?.id, 'az1~r~3~1');
});

test('an id says where each zone is, whatever its name', (t) => {
  const places = new Map([
    ['az1', { run: 'a-_9', arrival: 1, time: -5n, backlog: undefined }],
    ['~,%ü', { run: 'b', arrival: 2 ** 40, time: 2n ** 62n, backlog: -(2n ** 63n) }],
  ]);
  const id = eventId(places);
  t.regex(id, /^[\x21-\x7e]+$/, 'fit for a header');
  t.deepEqual(placesOf(id), places);
  t.is(placesOf('').size, 0);
  for (const bad of ['x', 'a~b', 'a~b~1', 'a~b~x~1', 'a~b~1~1~', `${id},`, '%~b~1~1']) {
    t.throws(() => placesOf(bad), { instanceOf: ReadError }, bad);
  }
});

async function served(
  t: ExecutionContext,
  options: { readonly tails?: Tails; readonly heartbeatMs?: number } = {},
) {
  const log = createLogger('test', { level: 'silent' });
  const metrics = new Metrics({ origin: 'test' });
  const store = new Store({ memoryLimitBytes: 4 * 2 ** 20, metrics });
  const reader = new LocalReader({ store, metrics });
  const hub = new TailHub({ store, metrics });
  const { tails = new LocalTails(hub), heartbeatMs } = options;
  const routes = logCacheRoutes(reader, { tails, tailHeartbeatMs: heartbeatMs });
  const app = koaApp(log).use(routes).use(logCacheNotFound());
  const listener = await listenHttp({ address: '127.0.0.1:0', app, log, drainMs: 0 });
  t.teardown(() => listener[Symbol.asyncDispose]());
  return {
    hub,
    metrics,
    port: listener.port,
    put(...inits: readonly EnvelopeInit[]): void {
      const batch = batchOf(inits);
      store.put(batch);
      hub.put(batch);
    },
    ask: async (path: string) => (await fetch(`http://127.0.0.1:${listener.port}${path}`)).text(),
    open: (path: string, headers = {}, method = 'GET') =>
      opened({ host: '127.0.0.1', port: listener.port, path, headers, method, agent: false }),
  };
}

/** Asks, and reads what comes from when the answer has begun. */
function opened(options: http.RequestOptions): Promise<Opened> {
  return new Promise((resolve, reject) => {
    const request = http.request(options, (answer) => {
      const it: Opened = {
        status: answer.statusCode,
        headers: answer.headers,
        text: '',
        ended: false,
        close: () => answer.destroy(),
        events: () => eventsIn(it.text),
        times: () =>
          it
            .events()
            .filter(({ event, data }) => event === undefined && data !== undefined)
            .flatMap(({ data }) => JSON.parse(data ?? '').envelopes.batch)
            .map(({ timestamp }: { timestamp: string }) => timestamp),
      };
      answer.on('data', (chunk: Buffer) => {
        it.text += chunk;
      });
      answer.on('error', () => undefined);
      answer.on('close', () => {
        it.ended = true;
      });
      resolve(it);
    });
    request.on('error', reject);
    request.end();
  });
}

/** Whole events only. */
function eventsIn(text: string): SseEvent[] {
  const blocks = text.split('\n\n').slice(0, -1);
  return blocks.map((block) =>
    Object.fromEntries(
      block
        .split('\n')
        .filter((part) => part !== '')
        .map((part) => [part.slice(0, part.indexOf(':')), part.slice(part.indexOf(':') + 2)]),
    ),
  );
}
