import { mkdtempSync, readFileSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { AccessLog, cefLine } from './access-log.ts';
import { Metrics } from './metrics.ts';
import { eventually, spyLog } from './testing.ts';

const product = 'loggregator_trafficcontroller';
const metrics = new Metrics({ origin: 'test' });

test('a line has who asked for what, as a security log wants it', (t) => {
  const request = requestOf('GET', '/firehose/x?a=1&b=<2>', { 'x-vcap-request-id': 'r-1' });
  t.is(
    cefLine(request, 1234, { product, ip: '10.0.0.9' }),
    'CEF:0|cloud_foundry|loggregator_trafficcontroller|1.0|' +
      'GET /firehose/x?a=1&amp;b=&lt;2&gt;|GET /firehose/x?a=1&amp;b=&lt;2&gt;|0|' +
      'rt=1234 cs1Label=userAuthenticationMechanism cs1=oauth-access-token ' +
      'cs2Label=vcapRequestId cs2=r-1 request=/firehose/x?a=1&amp;b=&lt;2&gt; requestMethod=GET ' +
      'src=10.1.1.1 spt=5000 dst=10.0.0.9 dpt=8081\n',
  );
});

const forwarded: readonly (readonly [header: string, source: string])[] = [
  ['10.2.2.2', 'src=10.2.2.2 spt= '],
  ['10.2.2.2:77', 'src=10.2.2.2 spt=77 '],
  ['10.2.2.2, 10.3.3.3', 'src=10.2.2.2 spt= '],
  ['', 'src=10.1.1.1 spt=5000 '],
];
for (const [header, source] of forwarded) {
  test(`with X-Forwarded-For "${header}" the source is ${source.trim()}`, (t) => {
    const request = requestOf('GET', '/', { 'x-forwarded-for': header });
    t.true(cefLine(request, 0, { product, ip: '' }).includes(source));
  });
}

const paths: readonly (readonly [url: string, told: string])[] = [
  ['/some/path', '/some/path'],
  ['/some/path?', '/some/path'],
  ['/some/path?a=%20+"1"?', '/some/path?a=%20&#43;&#34;1&#34;?'],
  ['/read/a%2Fb%C3%A4%2525', '/read/a/bä%25'],
  ['/read/%ff%2F', '/read/%ff%2F'],
  ['/x%0ACEF:0%7C%20src=1%E2%80%A8', '/x%0ACEF:0%7C%20src=1%E2%80%A8'],
];
for (const [url, told] of paths) {
  test(`a request for ${url} is told as ${told}`, (t) => {
    const line = cefLine(requestOf('GET', url, {}), 0, { product, ip: '' });
    const head = `CEF:0|cloud_foundry|${product}|1.0|GET ${told}|GET ${told}|0|rt=0 `;
    t.true(line.startsWith(head), line);
    t.true(line.includes(` request=${told} requestMethod=GET `), line);
  });
}

test('a peer by IPv4 is told by that, also where one socket listens for both', (t) => {
  const request = requestOf('GET', '/', {});
  Object.defineProperty(request.socket, 'remoteAddress', { value: '::ffff:10.1.1.1' });
  t.true(cefLine(request, 0, { product, ip: '' }).includes(' src=10.1.1.1 spt=5000 '));
});

test('lines are appended to what the file has', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'access-log-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'access.log');
  for (const path of ['/one', '/two']) {
    await using log = await AccessLog.open({ file, product, ip: '', log: spyLog(), metrics });
    log.write(requestOf('GET', path, {}), 0);
  }
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  t.deepEqual(
    lines.map((line) => line.split('|')[4]),
    ['GET /one', 'GET /two'],
  );
});

test('a disk that is full is told, and holds up no end', async (t) => {
  const log = spyLog();
  const accessLog = await AccessLog.open({ file: '/dev/full', product, ip: '', log, metrics });
  accessLog.write(requestOf('GET', '/', {}), 0);
  await t.notThrowsAsync(accessLog[Symbol.asyncDispose]());
  t.true(log.lines.some(({ text }) => text === 'the access log can not be written'));
});

test('what a full disk does not take is counted, and the file is opened again when there is room', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'access-log-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'access.log');
  symlinkSync('/dev/full', file);
  const own = new Metrics({ origin: 'test' });
  const dropped = own.counter('access_log_dropped', 'x');
  await using log = await AccessLog.open({ file, product, ip: '', log: spyLog(), metrics: own });
  log.write(requestOf('GET', '/1', {}), 0);
  await eventually(() => dropped.value === 1);
  log.write(requestOf('GET', '/2', {}), 10_000);
  await eventually(() => dropped.value === 2);
  unlinkSync(file);
  log.write(requestOf('GET', '/3', {}), 14_999);
  t.is(dropped.value, 3, 'it was tried a moment ago');
  log.write(requestOf('GET', '/4', {}), 15_000);
  await log[Symbol.asyncDispose]();
  t.regex(readFileSync(file, 'utf8'), /^CEF:[^\n]*GET \/4\|[^\n]*\n$/);
  log.write(requestOf('GET', '/5', {}), 30_000);
  t.is(dropped.value, 4);
});

test('a file that can not be written is an error at the start', async (t) => {
  await t.throwsAsync(
    AccessLog.open({ file: '/no/such/folder/a', product, ip: '', log: spyLog(), metrics }),
    {
      code: 'ENOENT',
    },
  );
});

function requestOf(method: string, url: string, headers: Record<string, string>): IncomingMessage {
  const socket = new Socket();
  Object.defineProperties(socket, {
    remoteAddress: { value: '10.1.1.1', configurable: true },
    remotePort: { value: 5000 },
    localPort: { value: 8081 },
  });
  return Object.assign(new IncomingMessage(socket), { method, url, headers });
}
