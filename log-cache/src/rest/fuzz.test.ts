/** Whatever is asked over HTTP, there is an answer as the API has them, and the next is answered as well. */

import http from 'node:http';
import { koaApp, listenHttp } from '@standpipe/plumbing';
import { randomFrom } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { counter, gauge, line, testStore } from '../testing.ts';
import { silent } from '../testing-cluster.ts';
import { logCacheNotFound, logCacheRoutes } from './routes.ts';
import { httpStatusOf } from './status.ts';

const REQUESTS = 400;

const PATHS = ['/api/v1/read/a', '/api/v1/read/', '/api/v1/meta', '/v1/read/a', '/api/v1/info'];
const ODD_PATHS = ['/api/v1/read/%00', '/api/v1/read/%ff', '/api/v1/read/%2', '/api/v1/..', '/%'];
const NAMES = [
  'start_time',
  'endTime',
  'limit',
  'envelope_types',
  'descending',
  'name_filter',
  'contains',
  'matches',
  'tag',
  'local_only',
  'limit[x]',
  'matches.a',
  '%',
  '',
];
const VALUES = [
  '',
  '0',
  '1',
  '-1',
  '1000',
  '9223372036854775807',
  '-9223372036854775808',
  '99999999999999999999',
  '1e9',
  'LOG',
  'true',
  'k:v',
  ':',
  '%00',
  '%ff%fe',
  '%',
  '%zz',
  ';',
  '(',
  '[^',
  '(?i)LINE',
  '(?P<x>.)*%2B',
  '%5CpL{1,1000}',
  '(a%2B)%2B$',
  'x'.repeat(2000),
  '%F0%9F%98%80',
  '__proto__',
];
const METHODS = ['GET', 'GET', 'GET', 'POST', 'PUT', 'HEAD'];
const TYPES = ['application/x-www-form-urlencoded', 'application/json', ''];

for (const seed of [1, 2, 3]) {
  test(`answers whatever is asked, seed ${seed}`, async (t) => {
    const random = randomFrom(seed);
    const one = <T>(of: readonly T[]): T => of[random(of.length)] as T; // Below its length.
    const port = await served(t);
    const agent = new http.Agent({ keepAlive: true });
    t.teardown(() => agent.destroy());
    const found = { good: 0, refused: 0 };
    for (let n = 0; n < REQUESTS; n += 1) {
      const path = random(5) === 0 ? one(ODD_PATHS) : one(PATHS);
      const pairs = Array.from({ length: random(4) }, () => `${one(NAMES)}=${one(VALUES)}`);
      const query = pairs.join(one(['&', '&', '&&', ';']));
      const method = one(METHODS);
      const headers = {
        ...(method === 'GET' ? {} : { 'Content-Type': one(TYPES) }),
        ...(random(8) === 0 && { 'Grpc-Timeout': one(['1S', '0n', 'x', '99999999H']) }),
        'Accept-Encoding': one(['identity', 'gzip', 'gzip;q=x', '']),
      };
      const asked = { port, agent, method, headers, path: `${path}?${query}` };
      const body =
        method === 'GET' || method === 'HEAD' ? undefined : `${one(NAMES)}=${one(VALUES)}`;
      const answer = await request(asked, body);
      check(t, `${method} ${path}?${query} ${body ?? ''}`, answer, method);
      found[answer.status === 200 ? 'good' : 'refused'] += 1;
    }
    t.true(found.good > 40 && found.refused > 40, JSON.stringify(found));
  });
}

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

function check(t: ExecutionContext, what: string, answer: Answer, method: string): void {
  const { status, headers, body } = answer;
  if (status === 301) {
    t.truthy(headers.location, what);
    return;
  }
  if (method === 'HEAD') return;
  if (headers['content-type']?.startsWith('text/plain') && status === 400) {
    t.is(body, '400 Bad Request', what);
    return;
  }
  t.true(body.endsWith('\n'), `${what}: ${body}`);
  const json = JSON.parse(body);
  if (status === 200) {
    t.true('envelopes' in json || 'meta' in json || 'version' in json, what);
  } else {
    t.deepEqual(Object.keys(json), ['code', 'message', 'details'], what);
    t.is(status, httpStatusOf(json.code), what);
    t.not(json.message, '', what);
  }
}

async function served(t: ExecutionContext): Promise<number> {
  const { put, reader } = testStore();
  put(line('a', 1), line('a', 2), counter('a', 3, 'x'), gauge('a', 4, 'y'), line('', 5));
  const log = silent();
  const app = koaApp(log).use(logCacheRoutes(reader)).use(logCacheNotFound());
  const listener = await listenHttp({ address: '127.0.0.1:0', app, log, headersMs: 30_000 });
  t.teardown(() => listener[Symbol.asyncDispose]());
  return listener.port;
}

function request(options: http.RequestOptions, body: string | undefined): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = http.request(options, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const { statusCode: status = 0, headers } = answer;
        resolve({ status, headers, body: Buffer.concat(chunks).toString() });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
