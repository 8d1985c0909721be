import { once } from 'node:events';
import http, { type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { LogStreamProxy } from './log-stream-proxy.ts';

test('a reader that left while its token was judged holds no place, and the gateway is not asked', async (t) => {
  let asked = 0;
  const gateway = await listen(t, (_request, response) => {
    asked += 1;
    response.end();
  });
  const proxy = new LogStreamProxy(`127.0.0.1:${gateway}`);
  t.teardown(() => proxy[Symbol.dispose]());

  let served: (result: Promise<void>) => void = () => undefined;
  const result = new Promise<void>((resolve) => {
    served = resolve;
  });
  const door = await listen(t, async (request, response) => {
    client.destroy();
    await once(response, 'close');
    served(proxy.serve(request, response));
  });
  const client = http.get({ host: '127.0.0.1', port: door, path: '/v2/read?log', agent: false });
  client.on('error', () => undefined); // It breaks its own connection.
  await result;
  t.is(asked, 0);
});

async function listen(t: ExecutionContext, listener: RequestListener): Promise<number> {
  const server = http.createServer(listener);
  t.teardown(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port; // It listens on TCP.
}
