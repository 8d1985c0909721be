import { status } from '@grpc/grpc-js';
import { createLogCache, ReadError, type Reader, type ReadRequest } from '@standpipe/log-cache';
import { Metrics, staticMembers } from '@standpipe/plumbing';
import { ManualClock, spyLog } from '@standpipe/plumbing/testing';
import { Batch, events, type loggregator, nowNanoseconds, scanBatch } from '@standpipe/protos';
import { encodeBatch, longOf, numberedLog } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { type RecentMetrics, recentMetrics } from './metrics.ts';
import { multipart, RecentEnvelopes } from './recent-envelopes.ts';
import type { Reply } from './refusal.ts';

const APP = '73467cc3-261a-472e-80e8-d6eadfd30d98';
const SECOND = 1_000_000_000n;

type EnvelopeInit = loggregator.v2.IEnvelope;

test('the parts of a multipart body are bare bytes between boundaries', (t) => {
  const parts = [Buffer.from('one'), Buffer.from('two')];
  t.is(multipart(parts, 'B').toString(), '--B\r\n\r\none\r\n--B\r\n\r\ntwo\r\n--B--\r\n');
  t.is(multipart([], 'B').toString(), '--B--\r\n');
});

test('recentlogs are back: the logs of one app as v1, newest first', async (t) => {
  const recent = recentOf(t, [
    ...[0, 1, 2].map((n) => numberedLog(APP, n)),
    { ...gauge(9), timestamp: longOf(1_700_000_000_000_000_001n) },
    numberedLog('another', 7),
  ]);
  const reply = await recent.answer('recentlogs', APP, '');
  t.is(reply.status, 200);
  t.deepEqual(textsIn(t, reply), ['line 2', 'line 1', 'line 0']);
  const [first] = envelopesIn(t, reply);
  t.is(first?.logMessage?.app_id, APP);
  t.is(first?.logMessage?.source_type, 'APP/PROC/WEB');
});

test('the boundary stands last and without quotes, and is another each time', async (t) => {
  const recent = recentOf(t, [numberedLog(APP, 1)]);
  const types = await Promise.all(
    [1, 2].map(async () => (await recent.answer('recentlogs', APP, '')).headers['Content-Type']),
  );
  for (const type of types) t.regex(type ?? '', /^multipart\/x-protobuf; boundary=[0-9a-f]{60}$/);
  t.not(types[0], types[1]);
});

const limits: readonly (readonly [query: string, count: number])[] = [
  ['', 1000],
  ['?limit=3', 3],
  ['?limit=%2B3', 3],
  ['?limit=-3', 1000],
  ['?limit=many', 1000],
  ['?limit=', 1000],
  ['?limit=2000', 1000],
  ['?limit=0', 100],
];
for (const [query, count] of limits) {
  test(`recentlogs${query} are ${count} of 1100 logs`, async (t) => {
    const recent = recentOf(
      t,
      Array.from({ length: 1100 }, (_, n) => numberedLog(APP, n)),
    );
    const texts = textsIn(t, await recent.answer('recentlogs', APP, query));
    t.is(texts.length, count);
    t.is(texts[0], 'line 1099');
  });
}

test('an app of which nothing is known has an answer without parts', async (t) => {
  const recent = recentOf(t, []);
  for (const name of ['recentlogs', 'containermetrics'] as const) {
    t.deepEqual(envelopesIn(t, await recent.answer(name, APP, '')), []);
  }
});

test('logs too large for one message are fewer', async (t) => {
  const payload = Buffer.alloc(60_000, 'x');
  const recent = recentOf(
    t,
    Array.from({ length: 200 }, (_, n) => ({ ...numberedLog(APP, n), log: { payload } })),
  );
  const reply = await recent.answer('recentlogs', APP, '');
  t.is(reply.status, 200);
  const count = envelopesIn(t, reply).length;
  t.true(count > 100 && count < 200);
});

test('logs that are too large and slow to read are not asked for again and again', async (t) => {
  const clock = new ManualClock();
  const reader = new LargeReader(clock);
  const reply = await recentOver(reader, clock).recent.answer('recentlogs', APP, '');
  t.is(envelopesIn(t, reply).length, 1);
  t.is(reader.reads, 2);
});

test('containermetrics are the newest of each instance within the last minute', async (t) => {
  const now = nowNanoseconds();
  const at = (secondsAgo: number) => ({ timestamp: longOf(now - BigInt(secondsAgo) * SECOND) });
  const recent = recentOf(t, [
    { ...gauge(1), ...at(30), instance_id: '1' },
    { ...gauge(2), ...at(20), instance_id: '0' },
    { ...gauge(3), ...at(10), instance_id: '1' },
    { ...gauge(4), ...at(90), instance_id: '2' },
    { ...at(5), source_id: APP, gauge: { metrics: { cpu: { value: 5 } } } },
    { ...numberedLog(APP, 1), ...at(4) },
  ]);
  const reply = await recent.answer('containermetrics', APP, '');
  const metrics = envelopesIn(t, reply).map(({ containerMetric }) => containerMetric);
  t.deepEqual(
    metrics.map((metric) => [metric?.instanceIndex, metric?.cpuPercentage]),
    [
      [0, 2],
      [1, 3],
    ],
  );
  t.is(metrics[0]?.applicationId, APP);
});

test('a read that is refused is 500, with its text for recentlogs alone, and counted', async (t) => {
  const { recent, metrics } = recentOver(new RefusingReader());
  const logs = await recent.answer('recentlogs', APP, '');
  t.deepEqual([logs.status, logs.body], [500, 'not today']);
  const container = await recent.answer('containermetrics', APP, '');
  t.deepEqual([container.status, container.body], [500, '']);
  t.is(metrics.failures.value, 2);
});

test('how long a request took is told in milliseconds, and who did not answer in a header', async (t) => {
  const clock = new ManualClock();
  const { recent, metrics } = recentOver(new LateReader(clock), clock);
  const reply = await recent.answer('recentlogs', APP, '');
  t.is(reply.headers['Standpipe-Partial'], 'az1/0,az2/1');
  t.is(metrics.latency.recentlogs.value, 7);
  await recent.answer('containermetrics', APP, '');
  t.is(metrics.latency.containermetrics.value, 7);
});

class RefusingReader implements Reader {
  read(_request: ReadRequest): ReturnType<Reader['read']> {
    return Promise.reject(new ReadError(status.UNKNOWN, 'not today'));
  }
  meta(): ReturnType<Reader['meta']> {
    return Promise.reject(new ReadError(status.UNKNOWN, 'not today'));
  }
}

class LateReader extends RefusingReader {
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    super();
    this.#clock = clock;
  }

  override async read(): ReturnType<Reader['read']> {
    await this.#clock.advance(7);
    const batch = new Batch();
    scanBatch(Buffer.alloc(0), batch);
    return { batch: batch.pack(), unreachable: ['az1/0', 'az2/1'] };
  }
}

/** Takes three seconds for more than ten MiB, whatever it is asked for. */
class LargeReader extends RefusingReader {
  reads = 0;
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    super();
    this.#clock = clock;
  }

  override async read(): ReturnType<Reader['read']> {
    this.reads += 1;
    await this.#clock.advance(3000);
    const log = { payload: Buffer.alloc(11 * 2 ** 20, 'x') };
    const batch = new Batch();
    scanBatch(encodeBatch([{ ...numberedLog(APP, 1), log }]), batch);
    return { batch: batch.pack(), unreachable: [] };
  }
}

function recentOver(
  reader: Reader,
  clock: ManualClock = new ManualClock(),
): { recent: RecentEnvelopes; metrics: RecentMetrics } {
  const metrics = recentMetrics(new Metrics({ origin: 'test' }));
  return { recent: new RecentEnvelopes({ reader, metrics, clock }), metrics };
}

function recentOf(t: ExecutionContext, envelopes: readonly EnvelopeInit[]): RecentEnvelopes {
  const metrics = new Metrics({ origin: 'test' });
  const options = {
    members: staticMembers([]),
    zone: '',
    index: 0,
    tls: undefined,
    metrics,
    log: spyLog(),
  };
  const cache = createLogCache(options);
  t.teardown(() => cache[Symbol.asyncDispose]());
  const batch = new Batch();
  t.true(scanBatch(encodeBatch(envelopes), batch));
  cache.put(batch);
  return recentOver(cache.reader).recent;
}

function gauge(cpu: number): EnvelopeInit {
  const names = ['memory', 'disk', 'memory_quota', 'disk_quota'];
  const others = Object.fromEntries(names.map((name) => [name, { unit: 'bytes', value: 1 }]));
  const metrics = { ...others, cpu: { unit: 'percentage', value: cpu } };
  return { source_id: APP, instance_id: '0', gauge: { metrics } };
}

/** Reads the body as clients do: by what stands behind `boundary=`. */
function envelopesIn(t: ExecutionContext, { headers, body }: Reply): events.Envelope[] {
  const [, boundary = ''] = /boundary=(.*)/.exec(headers['Content-Type'] ?? '') ?? [];
  const pieces = Buffer.from(body).toString('latin1').split(`--${boundary}`);
  t.is(pieces.shift(), '');
  t.is(pieces.pop(), '--\r\n');
  return pieces.map((piece) => {
    t.deepEqual([piece.slice(0, 4), piece.slice(-2)], ['\r\n\r\n', '\r\n']);
    return events.Envelope.decode(Buffer.from(piece.slice(4, -2), 'latin1'));
  });
}

function textsIn(t: ExecutionContext, reply: Reply): string[] {
  return envelopesIn(t, reply).map(({ logMessage }) =>
    Buffer.from(logMessage?.message ?? []).toString(),
  );
}
