import http from 'node:http';
import { gunzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import { createLogger, koaApp, listenHttp } from '@standpipe/plumbing';
import { longOf } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { ReadError, type Reader, type ReadRequest } from '../reader.ts';
import { counter, type EnvelopeInit, event, line, testStore, timer } from '../testing.ts';
import { type LogCacheRoutesOptions, logCacheNotFound, logCacheRoutes } from './routes.ts';

interface Response {
  readonly status: number | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  readonly bytes: Buffer;
}

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

type Ask = (path: string, asked?: Asked) => Promise<Response>;

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };

const SECOND = 1_000_000_000n;
const AT = 1714564800123456000n;

/** The example of log-cache-release v3.2.0: one envelope of each kind, a second apart. */
const APP_1: readonly EnvelopeInit[] = [
  {
    instance_id: '0',
    tags: { deployment: 'cf', source_type: 'APP/PROC/WEB' },
    log: { payload: Buffer.from('hello <world> & "q"') },
  },
  {
    instance_id: '1',
    tags: { source_type: 'APP/PROC/WEB' },
    log: { payload: Buffer.from('oops'), type: 1 },
  },
  {
    instance_id: '1',
    tags: { job: 'cell' },
    gauge: { metrics: { cpu: { unit: 'percentage', value: 0.23 } } },
  },
  { instance_id: '1', counter: { name: 'http.requests', delta: 5, total: 10 } },
  { instance_id: '2', timer: { name: 'http', start: 1000, stop: 3000 } },
  { instance_id: '2', event: { title: 't1', body: 'b1' } },
  { instance_id: '3', gauge: { metrics: { nan: { unit: '', value: Number.NaN } } } },
].map((init, second) => ({
  ...init,
  source_id: 'app-1',
  timestamp: longOf(AT + BigInt(second) * SECOND),
}));

const BODIES: readonly string[] = [
  '"instance_id":"0","deprecated_tags":{},"tags":{"deployment":"cf","source_type":"APP/PROC/WEB"},"log":{"payload":"aGVsbG8gPHdvcmxkPiAmICJxIg==","type":"OUT"}}',
  '"instance_id":"1","deprecated_tags":{},"tags":{"source_type":"APP/PROC/WEB"},"log":{"payload":"b29wcw==","type":"ERR"}}',
  '"instance_id":"1","deprecated_tags":{},"tags":{"job":"cell"},"gauge":{"metrics":{"cpu":{"unit":"percentage","value":0.23}}}}',
  '"instance_id":"1","deprecated_tags":{},"tags":{},"counter":{"name":"http.requests","delta":"5","total":"10"}}',
  '"instance_id":"2","deprecated_tags":{},"tags":{},"timer":{"name":"http","start":"1000","stop":"3000"}}',
  '"instance_id":"2","deprecated_tags":{},"tags":{},"event":{"title":"t1","body":"b1"}}',
  '"instance_id":"3","deprecated_tags":{},"tags":{},"gauge":{"metrics":{"nan":{"unit":"","value":"NaN"}}}}',
];

test('clients of before release 2.0 read under /v1 what others read under /api/v1', async (t) => {
  const { ask, put } = await served(t);
  put(...APP_1);
  for (const path of ['/read/app-1?limit=2', '/meta', '/info', '/nothing']) {
    const [old, current] = await Promise.all([ask(`/v1${path}`), ask(`/api/v1${path}`)]);
    t.deepEqual([old.status, old.body], [current.status, current.body], path);
  }
  t.is((await ask('/v1x')).status, 404);
});

test('reads as the original does', async (t) => {
  const { ask, put } = await served(t);
  put(...APP_1);
  const { status: code, headers, body } = await ask('/api/v1/read/app-1?limit=7');
  t.is(code, 200);
  t.is(headers['content-type'], 'application/json');
  t.is(headers['grpc-metadata-content-type'], 'application/grpc');
  t.is(headers['standpipe-partial'], undefined);
  const envelopes = BODIES.map(
    (rest, second) => `{"timestamp":"${AT + BigInt(second) * SECOND}","source_id":"app-1",${rest}`,
  );
  t.is(body, `{"envelopes":{"batch":[${envelopes.join(',')}]}}\n`);
  const some = '/api/v1/read/app-1?name_filter=cpu%7Chttp&limit=2&descending=true';
  t.is((await ask(some)).body, `{"envelopes":{"batch":[${envelopes[4]},${envelopes[3]}]}}\n`);
});

test('writes an envelope with nothing set, and what is empty or deprecated', async (t) => {
  const { ask, put } = await served(t);
  put({}, { timestamp: longOf(1n), gauge: {} });
  put({ timestamp: longOf(2n), deprecated_tags: { k: { text: 'v' }, n: { integer: longOf(5n) } } });
  const rest = '"source_id":"","instance_id":"","deprecated_tags":';
  t.is(
    (await ask('/api/v1/read/')).body,
    `{"envelopes":{"batch":[{"timestamp":"0",${rest}{},"tags":{}},` +
      `{"timestamp":"1",${rest}{},"tags":{},"gauge":{"metrics":{}}},` +
      `{"timestamp":"2",${rest}{"k":{"text":"v"},"n":{"integer":"5"}},"tags":{}}]}}\n`,
  );
});

const ERRORS: readonly [string, number, number, string][] = [
  ['limit=1001', 500, 2, 'Limit (1001) must be 1000 or less'],
  ['limit=-1', 500, 2, 'Limit (-1) must be greater than zero'],
  ['start_time=5&end_time=4', 500, 2, 'StartTime (5) must be before EndTime (4)'],
  [
    'name_filter=(',
    500,
    2,
    'Name filter must be a valid regular expression: error parsing regexp: missing closing ): `(`',
  ],
  ['limit=abc', 400, 3, 'parsing field "limit": strconv.ParseInt: parsing "abc": invalid syntax'],
  ['envelope_types=log', 400, 3, 'parsing list "envelope_types": "log" is not a valid value'],
  ['envelope_types=6', 400, 3, 'parsing list "envelope_types": "6" is not a valid value'],
  ['envelope_types=99', 400, 3, 'parsing list "envelope_types": "99" is not a valid value'],
  ['envelope_types=-1', 400, 3, 'parsing list "envelope_types": "-1" is not a valid value'],
  [
    'descending=maybe',
    400,
    3,
    'parsing field "descending": strconv.ParseBool: parsing "maybe": invalid syntax',
  ],
  ['limit=1&limit=2', 400, 3, 'too many values for field "limit": 1, 2'],
  [
    'start_time=',
    400,
    3,
    'parsing field "start_time": strconv.ParseInt: parsing "": invalid syntax',
  ],
  ['limit=1;x=2', 400, 3, 'invalid semicolon separator in query'],
  ['limit=%zz', 400, 3, 'invalid URL escape "%zz"'],
  ['limit.a=1', 400, 3, 'invalid path: "limit" is not a message'],
  ['contains=a&contains=b', 400, 3, 'too many values for field "contains": a, b'],
  ['tag=a', 400, 3, 'parsing list "tag": "a" is not KEY:VALUE'],
  [
    'matches=(',
    400,
    3,
    'Matches must be a valid regular expression: error parsing regexp: missing closing ): `(`',
  ],
  ['contains=%ff', 500, 13, 'grpc: error while marshaling: string field contains invalid UTF-8'],
  ['name_filter=%ff', 500, 13, 'grpc: error while marshaling: string field contains invalid UTF-8'],
];
for (const [query, code, grpcCode, message] of ERRORS) {
  test(`answers ${code} to ?${query}`, async (t) => {
    const { ask } = await served(t);
    const response = await ask(`/api/v1/read/app-1?${query}`);
    t.is(response.status, code);
    t.is(response.headers['content-type'], 'application/json');
    t.is(response.body, `${JSON.stringify({ code: grpcCode, message, details: [] })}\n`);
  });
}

for (const query of [
  'nonsense=1',
  'source_id=other',
  'sourceId=other',
  'name_filter=',
  'contains=&matches=',
  'limit=0',
  'limit=%2B7',
  'start_time=-6795364578871345152',
  'startTime=0',
  'endTime=0&nameFilter=&envelopeTypes=LOG',
  'envelope_types=ANY',
  'envelope_types=1',
  'envelope_types[LOG]=GAUGE',
  'descending=T',
  '&&limit=3&',
]) {
  test(`finds the log with ?${query}`, async (t) => {
    const { ask, put } = await served(t);
    put(line('app-1', 1));
    const { status: code, body } = await ask(`/api/v1/read/app-1?${query}`);
    t.is(code, 200);
    t.is(JSON.parse(body).envelopes.batch.length, 1, body);
  });
}

test('filters by name and type, newest first', async (t) => {
  const { ask, put } = await served(t);
  put(counter('a', 1, 'cpu'), timer('a', 2, 'http'), event('a', 3, 'cpu'), counter('a', 4, 'http'));
  const { body } = await ask('/api/v1/read/a?name_filter=cpu%7Chttp&limit=2&descending=true');
  t.deepEqual(stamps(body), ['4', '2']);
  const typed = await ask('/api/v1/read/a?envelope_types=TIMER&envelope_types=EVENT');
  t.deepEqual(stamps(typed.body), ['2', '3']);
});

for (const [path, source] of [
  ['/api/v1/read/a/b', 'a/b'],
  ['/api/v1/read/a%2Fb', 'a/b'],
  ['/api/v1/read/a%2F%2Fb', 'a//b'],
  ['/api/v1/read/a/', 'a/'],
  ['/api/v1/read/a%00b', 'a\0b'],
  ['/api/v1/read/%C3%BC+', 'ü+'],
  ['/api/v1/read/a:b', 'a:b'],
  ['/api/v1/read/', ''],
  ['/api/v1/read', ''],
] as const) {
  test(`finds the source ${JSON.stringify(source)} under ${path}`, async (t) => {
    const { ask, put } = await served(t);
    put(line(source, 1));
    const { status: code, body } = await ask(path);
    t.is(code, 200);
    t.is(JSON.parse(body).envelopes.batch[0]?.source_id, source);
  });
}

test('finds a source whose id is as long as a path may be, and refuses a longer one', async (t) => {
  const { ask, put } = await served(t);
  const id = 'x/'.repeat(15_000);
  put(line(id, 1), line('a', 2));
  for (const path of [id, encodeURIComponent(id)]) {
    const { status: code, body } = await ask(`/api/v1/read/${path}`);
    t.is(code, 200);
    t.is(JSON.parse(body).envelopes.batch[0]?.source_id, id);
  }
  t.is((await ask(`/api/v1/read/${'x'.repeat(65_536)}`)).status, 431);
  t.is((await ask('/api/v1/read/a')).status, 200);
});

test('answers an unknown source with an empty batch', async (t) => {
  const { ask } = await served(t);
  t.like(await ask('/api/v1/read/nope'), { status: 200, body: '{"envelopes":{"batch":[]}}\n' });
});

test('refuses a path whose escapes are no escapes, or no UTF-8', async (t) => {
  const { ask } = await served(t);
  const broken = await ask('/api/v1/read/%zz');
  t.like(broken, { status: 400, body: '400 Bad Request' });
  t.is(broken.headers['content-type'], 'text/plain; charset=utf-8');
  const { status: code, body } = await ask('/api/v1/read/%ff');
  t.is(code, 500);
  t.is(JSON.parse(body).code, 13);
});

test('info is JSON whose version makes clients read under /api/v1 and filter by name', async (t) => {
  const { ask } = await served(t);
  const { version } = JSON.parse((await ask('/api/v1/info')).body);
  const [, major, minor] = /^(\d+)\.(\d+)\.(\d+)$/.exec(version) ?? [];
  t.true(Number(major) > 2 || (Number(major) === 2 && Number(minor) >= 1), version);
});

test('tells its version and how long the machine is up', async (t) => {
  const { ask } = await served(t);
  for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
    const { status: code, headers, body } = await ask('/api/v1/info?x;y', { method });
    t.is(code, 200);
    t.is(headers['content-type'], 'text/plain; charset=utf-8');
    t.is(body, '{"version":"3.2.0","vm_uptime":"1585"}\n');
  }
});

test('tells the meta of all sources in the order of their code points', async (t) => {
  const { ask, put } = await served(t);
  t.is((await ask('/api/v1/meta')).body, '{"meta":{}}\n');
  put(line('\u{1f600}', 1), line('\uffee', 2), line('a', -3), line('"<b>', 4), line('a', 9));
  const { headers, body } = await ask('/api/v1/meta?local_only=true&nonsense=1');
  t.is(headers['content-type'], 'application/json');
  const info = (count: number, oldest: number, newest: number): string =>
    `{"count":"${count}","expired":"0","oldest_timestamp":"${oldest}","newest_timestamp":"${newest}"}`;
  t.is(
    body,
    `{"meta":{"\\"<b>":${info(1, 4, 4)},"a":${info(2, -3, 9)},` +
      `"\uffee":${info(1, 2, 2)},"\u{1f600}":${info(1, 1, 1)}}}\n`,
  );
});

test('asks for its own sources only when told to', async (t) => {
  const asked: boolean[] = [];
  const { ask } = await servedBy(t, {
    read: () => Promise.reject(new Error('not asked for')),
    meta: async (localOnly) => {
      asked.push(localOnly);
      return { sources: new Map(), unreachable: [] };
    },
  });
  for (const query of ['', '?local_only=1', '?localOnly=true', '?local_only=f']) {
    await ask(`/api/v1/meta${query}`);
  }
  t.deepEqual(asked, [false, true, true, false]);
  const { status: code, body } = await ask('/api/v1/meta?local_only=');
  t.is(code, 400);
  t.regex(body, /strconv.ParseBool: parsing \\"\\": invalid syntax/);
});

test('as an auth proxy it tells meta in camel case, without what is zero', async (t) => {
  const { ask, put } = await served(t, { metaDialect: 'auth-proxy' });
  t.is((await ask('/api/v1/meta')).body, '{}\n');
  put(line('b', 3), line('b', 9), line('a', 0));
  for (const asked of ['/api/v1/meta', '/api/v1/meta?local_only=x;&y', '/v1/meta']) {
    const { status: code, headers, body } = await ask(asked, { method: 'POST' });
    t.is(code, 200);
    t.is(headers['content-type'], 'text/plain; charset=utf-8');
    t.is(headers['grpc-metadata-content-type'], undefined);
    t.is(
      body,
      '{"meta":{"a":{"count":"1"},' +
        '"b":{"count":"2","oldestTimestamp":"3","newestTimestamp":"9"}}}\n',
    );
  }
  t.regex((await ask('/api/v1/read/a')).body, /"source_id":"a"/);
});

test('as an auth proxy it says 502 and nothing else when nobody knows meta', async (t) => {
  const failing = (): Promise<never> => Promise.reject(new ReadError(status.UNKNOWN, 'why'));
  const { ask } = await servedBy(
    t,
    { read: failing, meta: failing },
    { metaDialect: 'auth-proxy' },
  );
  t.like(await ask('/api/v1/meta'), { status: 502, body: '' });
});

test('serves a form that is posted, merged with the query', async (t) => {
  const { ask, put } = await served(t);
  put(line('a', 1), line('a', 2), line('a', 3));
  const posted = { method: 'POST', headers: FORM, body: 'limit=1&unknown=%20+' };
  t.deepEqual(stamps((await ask('/api/v1/read/a?descending=true', posted)).body), ['3']);
  const twice = await ask('/api/v1/read/a?limit=2', posted);
  t.is(JSON.parse(twice.body).message, 'too many values for field "limit": 1, 2');
  t.is((await ask('/api/v1/meta', { ...posted, body: '' })).status, 200);
});

for (const [type, code] of [
  ['application/x-www-form-urlencoded;charset=UTF-8', 200],
  ['Application/X-WWW-Form-Urlencoded ; charset=utf-8', 200],
  ['application/x-www-form-urlencodedly', 501],
  ['application/json', 501],
] as const) {
  test(`a post of type ${type} is ${code}`, async (t) => {
    const { ask } = await served(t);
    const headers = { 'Content-Type': type };
    t.is((await ask('/api/v1/meta', { method: 'POST', headers })).status, code);
  });
}

test('honours what a posted form says its method is', async (t) => {
  const { ask } = await served(t);
  for (const [method, code] of [
    ['GET', 200],
    ['put', 501],
  ] as const) {
    const headers = { ...FORM, 'X-HTTP-Method-Override': method };
    t.is((await ask('/api/v1/read/a', { method: 'POST', headers })).status, code);
  }
});

test('refuses a form that is too large', async (t) => {
  const { ask } = await served(t);
  const body = `x=${'y'.repeat(2 * 1024 * 1024)}`;
  const response = await ask('/api/v1/read/a', { method: 'POST', headers: FORM, body });
  t.is(response.status, 400);
});

for (const path of ['/api/v1/read/a', '/api/v1/meta']) {
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD']) {
    test(`does not allow ${method} on ${path}`, async (t) => {
      const { ask } = await served(t);
      const { status: code, headers, body } = await ask(path, { method });
      t.is(code, 501);
      t.is(headers['content-type'], 'application/json');
      const text = '{"code":12,"message":"Method Not Allowed","details":[]}\n';
      t.is(body, method === 'HEAD' ? '' : text);
    });
  }
}

for (const path of [
  '/',
  '/api',
  '/api/v1',
  '/api/v1/',
  '/api/v1/labels',
  '/api/v1/meta/',
  '/v1x/read/a',
]) {
  test(`knows no ${path}`, async (t) => {
    const { ask } = await served(t);
    const { status: code, headers, body } = await ask(path, { method: 'PATCH' });
    t.is(code, 404);
    t.is(headers['content-type'], 'application/json');
    t.is(body, '{"code":5,"message":"Not Found","details":[]}\n');
  });
}

for (const [path, location] of [
  ['/api//v1/read/a', '/api/v1/read/a'],
  ['/api/v1/read/a//b', '/api/v1/read/a/b'],
  ['/api/v1/./meta?local_only=true', '/api/v1/meta?local_only=true'],
  ['/api/v1/read/../meta', '/api/v1/meta'],
  ['/api/v1/read/a/./', '/api/v1/read/a/'],
  ['/api/v1/read/a/..', '/api/v1/read'],
  ['/x//y?a=<b>&c', '/x/y?a=<b>&c'],
  ['/..//', '/'],
  ['//\\other.invalid', '/%5Cother.invalid'],
] as const) {
  test(`sends ${path} to ${location}`, async (t) => {
    const { ask } = await served(t);
    const { status: code, headers, body } = await ask(path);
    t.is(code, 301);
    t.is(headers.location, location);
    t.is(headers['content-type'], 'text/html; charset=utf-8');
    const href = location.replace('<b>&', '&lt;b&gt;&amp;');
    t.is(body, `<a href="${href}">Moved Permanently</a>.\n\n`);
    t.is((await ask(path, { method: 'PUT' })).body, '');
  });
}

test('leaves what is not under /api/v1 to whoever comes next', async (t) => {
  const { ask } = await served(t, { behind: 'somebody else' });
  for (const path of ['/firehose/x', '/', '/a//b', '/api/v10']) {
    t.like(await ask(path), { status: 200, body: 'somebody else' });
  }
  t.is((await ask('/api/v1/nothing')).status, 404);
});

test('names the nodes that are missing in an answer', async (t) => {
  const { reader } = testStore();
  const unreachable = ['az1/0', 'az2/3'];
  const { ask } = await servedBy(t, {
    read: async (request) => ({ ...(await reader.read(request)), unreachable }),
    meta: async () => ({ ...(await reader.meta()), unreachable }),
  });
  for (const path of ['/api/v1/read/a', '/api/v1/meta']) {
    const { status: code, headers } = await ask(path);
    t.is(code, 200);
    t.is(headers['standpipe-partial'], 'az1/0,az2/3');
  }
});

for (const [code, expected] of [
  [status.CANCELLED, 499],
  [status.UNKNOWN, 500],
  [status.INVALID_ARGUMENT, 400],
  [status.DEADLINE_EXCEEDED, 504],
  [status.NOT_FOUND, 404],
  [status.ALREADY_EXISTS, 409],
  [status.PERMISSION_DENIED, 403],
  [status.UNAUTHENTICATED, 401],
  [status.RESOURCE_EXHAUSTED, 429],
  [status.FAILED_PRECONDITION, 400],
  [status.ABORTED, 409],
  [status.OUT_OF_RANGE, 400],
  [status.UNIMPLEMENTED, 501],
  [status.INTERNAL, 500],
  [status.UNAVAILABLE, 503],
  [status.DATA_LOSS, 500],
] as const) {
  test(`answers ${expected} to gRPC's ${status[code]}`, async (t) => {
    const failing = (): Promise<never> => Promise.reject(new ReadError(code, 'why'));
    const { ask } = await servedBy(t, { read: failing, meta: failing });
    for (const path of ['/api/v1/read/a', '/api/v1/meta']) {
      const response = await ask(path);
      t.is(response.status, expected);
      t.is(response.body, `{"code":${code},"message":"why","details":[]}\n`);
    }
  });
}

test('answers 504 when Grpc-Timeout has passed', async (t) => {
  const never = (): Promise<never> => new Promise(() => undefined);
  const { ask } = await servedBy(t, { read: never, meta: never });
  for (const timeout of ['20m', '1n', '00000001u']) {
    const { status: code, body } = await ask('/api/v1/read/a', {
      headers: { 'Grpc-Timeout': timeout },
    });
    t.is(code, 504);
    t.is(body, '{"code":4,"message":"context deadline exceeded","details":[]}\n');
  }
  for (const timeout of ['5', 'S', '123456789S', '5s']) {
    const { status: code } = await ask('/api/v1/meta', { headers: { 'Grpc-Timeout': timeout } });
    t.is(code, 400);
  }
});

test('hands the whole request to the reader', async (t) => {
  const requests: ReadRequest[] = [];
  const { reader } = testStore();
  const { ask } = await servedBy(t, {
    read: (request) => {
      requests.push(request);
      return reader.read(request);
    },
    meta: () => reader.meta(),
  });
  await ask(
    '/api/v1/read/a?start_time=-9223372036854775808&end_time=9223372036854775807&limit=99&envelope_types=ANY&envelope_types=5&descending=1&name_filter=a%2Bb+c&contains=x+y&matches=%5Ez&tag=a:b:c&tag=d:',
  );
  t.deepEqual(requests, [
    {
      sourceId: 'a',
      startTime: -(2n ** 63n),
      endTime: 2n ** 63n - 1n,
      limit: 99n,
      envelopeTypes: [0, 5],
      descending: true,
      nameFilter: 'a+b c',
      contains: 'x y',
      matches: '^z',
      tags: ['a:b:c', 'd:'],
    },
  ]);
});

test('answers as gzip who asks for it, and only what is large', async (t) => {
  const { ask, put } = await served(t);
  put(...Array.from({ length: 100 }, (_, n) => line(`a`, n)), line('b', 1));
  put(...Array.from({ length: 100 }, (_, n) => line(`source-${n}`, n)));
  for (const path of ['/api/v1/read/a', '/api/v1/meta']) {
    const plain = await ask(path);
    t.is(plain.headers['content-encoding'], undefined);
    t.is(plain.headers.vary, 'Accept-Encoding');
    for (const accepted of ['gzip', 'deflate, gzip;q=0.5', '*']) {
      const { headers, bytes } = await ask(path, { headers: { 'Accept-Encoding': accepted } });
      t.is(headers['content-encoding'], 'gzip', accepted);
      t.is(headers['content-type'], 'application/json');
      t.is(gunzipSync(bytes).toString(), plain.body);
    }
    for (const accepted of ['identity', 'gzip;q=0', 'br', '']) {
      const { headers, body } = await ask(path, { headers: { 'Accept-Encoding': accepted } });
      t.is(headers['content-encoding'], undefined, accepted);
      t.is(body, plain.body);
    }
  }
  const small = await ask('/api/v1/read/b', { headers: { 'Accept-Encoding': 'gzip' } });
  t.is(small.headers['content-encoding'], undefined);
  t.deepEqual(stamps(small.body), ['1']);
});

function stamps(body: string): string[] {
  const { batch } = JSON.parse(body).envelopes;
  return batch.map(({ timestamp }: { timestamp: string }) => timestamp);
}

async function served(
  t: ExecutionContext,
  options: { readonly behind?: string } & LogCacheRoutesOptions = {},
): Promise<{ ask: Ask; put: ReturnType<typeof testStore>['put'] }> {
  const { put, reader } = testStore();
  const { ask } = await servedBy(t, reader, options);
  return { ask, put };
}

async function servedBy(
  t: ExecutionContext,
  reader: Reader,
  { behind, ...options }: { readonly behind?: string } & LogCacheRoutesOptions = {},
): Promise<{ ask: Ask }> {
  const log = createLogger('test', { level: 'silent' });
  const app = koaApp(log);
  app.use(logCacheRoutes(reader, { uptimeSeconds: () => 1585.9, ...options }));
  if (behind === undefined) app.use(logCacheNotFound());
  else {
    app.use((ctx) => {
      ctx.body = behind;
    });
  }
  const listener = await listenHttp({ address: '127.0.0.1:0', app, log, headersMs: 30_000 });
  t.teardown(() => listener[Symbol.asyncDispose]());
  return { ask: (path, asked = {}) => request(listener.port, path, asked) };
}

/** Asks with the path exactly as it is, which `fetch` would clean. */
function request(port: number, path: string, asked: Asked): Promise<Response> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = asked;
    const options = { host: '127.0.0.1', port, path, method, headers, agent: false };
    const sent = http.request(options, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const bytes = Buffer.concat(chunks);
        const { statusCode: code, headers: told } = answer;
        resolve({ status: code, headers: told, body: bytes.toString(), bytes });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
