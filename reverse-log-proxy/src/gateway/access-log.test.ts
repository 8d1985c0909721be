import { eventually } from '@standpipe/plumbing/testing';
import test from 'ava';
import { accessLine } from './access-log.ts';
import { started } from './testing.ts';

test("a request is one line in Apache's common format, once it has been answered", async (t) => {
  const { gateway, accessLog, read, proxy } = await started(t);
  const stream = await read('?log&shard_id=s');
  proxy.sendLines('a', 0, 1);
  await eventually(() => stream.text.endsWith('\n\n'));
  t.is(accessLog(), '');
  stream.response.destroy();
  await eventually(() => accessLog() !== '');
  await fetch(`http://${gateway.address}/v2/read`, { method: 'POST' });
  await eventually(() => accessLog().split('\n').length === 3);

  const [first = '', second = ''] = accessLog().split('\n');
  const time = String.raw`\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]`;
  const query = String.raw`"GET /v2/read\?log&shard_id=s HTTP/1\.1"`;
  t.regex(first, new RegExp(`^127.0.0.1 - - ${time} ${query} 200 ${stream.text.length}$`));
  t.regex(second, new RegExp(`^127.0.0.1 - - ${time} "POST /v2/read HTTP/1.1" 405 63$`));
});

test('what a client sent can end neither the quotes nor the line', (t) => {
  const line = accessLine({
    host: '10.0.0.1',
    at: new Date(2026, 0, 2, 3, 4, 5),
    method: 'GET',
    uri: '/v2/read?a="b\\\n\u00e9',
    http: '2.0',
    status: 404,
    bytes: 62,
  });
  t.regex(line, /^10\.0\.0\.1 - - \[02\/Jan\/2026:03:04:05 [+-]\d{4}\] /);
  t.true(line.endsWith('"GET /v2/read?a=\\"b\\\\\\x0a\\xe9 HTTP/2.0" 404 62\n'));
});
