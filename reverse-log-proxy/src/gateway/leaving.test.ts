import { connect, type Socket } from 'node:net';
import { eventually } from '@standpipe/plumbing/testing';
import { encodeBatch, numberedLog } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { FakeEgress } from '../testing.ts';
import { certificates, startProxy } from '../testing-proxy.ts';
import { started } from './testing.ts';

test('a client that leaves leaves its shard at once', async (t) => {
  const { read, proxy, metric } = await started(t);
  const stream = await read('?log&shard_id=s');
  t.is(proxy.calls.length, 1);
  stream.response.destroy();
  await eventually(() => proxy.calls.length === 0);
  await eventually(() => metric('streams') === 0);
});

test('a client that does not read stops the stream of the proxy, and nobody else’s', async (t) => {
  const { read, proxy, metric } = await started(t);
  const slow = await read('?log', { reading: false });
  const other = await read('?log');
  const [stalled, free] = proxy.calls;
  const bytes = encodeBatch(Array.from({ length: 100 }, (_, n) => numberedLog('a', n)));
  let sent = 0;
  // The kernel, the gateway and the windows between take some; then the stream takes no more.
  await eventually(() => {
    for (let round = 0; round < 100; round += 1) {
      if (!stalled || stalled.writableNeedDrain) return true;
      stalled.write(bytes);
      sent += 1;
    }
    return false;
  });
  t.true(sent < 20_000);

  free?.write(bytes);
  await eventually(() => other.text.endsWith('\n\n'));
  slow.response.resume();
  await eventually(() => slow.events() === sent, { timeoutMs: 30_000 });
  t.is(metric('egress'), (sent + 1) * 100);
});

test('a client that takes nothing is cut after a while and counted, and nobody else is', async (t) => {
  const { read, proxy, metric, log } = await started(t, { heartbeatMs: 50, stallMs: 500 });
  const stalled = await read('?log', { reading: false });
  const other = await read('?log');
  const bytes = encodeBatch(Array.from({ length: 100 }, (_, n) => numberedLog('a', n)));
  const [call] = proxy.calls;
  await eventually(() => {
    for (let round = 0; round < 100 && call?.writableNeedDrain === false; round += 1) {
      call.write(bytes);
    }
    return metric('streams') === 1;
  });
  t.is(metric('streams_ended', { reason: 'stalled' }), 1);
  t.true(log.lines.some(({ text }) => text === 'cut a client that took nothing'));
  stalled.response.destroy();

  await eventually(() => proxy.calls.length === 1);
  const before = other.events();
  await eventually(() => other.events() > before + 5); // Heartbeats go on well beyond the limit.
  proxy.sendLines('a', 0, 1);
  await eventually(() => other.text.includes('data: {"batch"'));
});

for (const how of ['destroyed', 'reset'] as const) {
  test(`an SSE reader whose socket is ${how} leaves its shard, and its neighbour gets every line`, async (t) => {
    const { doppler, proxyAddress } = await chain(t);
    const { gateway } = await started(t, { proxyAddress });
    const [leaving, staying] = [new RawReader(gateway.address), new RawReader(gateway.address)];
    t.teardown(() => staying.socket.destroy());
    await eventually(() => doppler.calls.length === 2);
    doppler.dealLines('a', 0, 100);
    await eventually(() => leaving.lines.length === 50 && staying.lines.length === 50);

    if (how === 'reset') leaving.socket.resetAndDestroy();
    else leaving.socket.destroy();
    await eventually(() => doppler.calls.length === 1);
    doppler.dealLines('a', 100, 200);
    await eventually(() => staying.lines.length >= 150);
    t.deepEqual(
      staying.lines.slice(50),
      Array.from({ length: 100 }, (_, n) => n + 100),
    );
  });
}

/** A real proxy before a fake Doppler. */
async function chain(t: ExecutionContext): Promise<{ doppler: FakeEgress; proxyAddress: string }> {
  const { doppler: tls } = await certificates();
  const doppler = await FakeEgress.listen({ tls });
  const proxy = await startProxy([doppler.address]);
  t.teardown(async () => {
    await proxy[Symbol.asyncDispose]();
    await doppler[Symbol.asyncDispose]();
  });
  return { doppler, proxyAddress: proxy.address };
}

/** A client that is a bare socket. */
class RawReader {
  readonly socket: Socket;
  #text = '';

  constructor(address: string) {
    const [host, port] = address.split(':');
    this.socket = connect(Number(port), host);
    this.socket.on('error', () => {}); // It is reset by its test.
    this.socket.setEncoding('latin1').on('data', (chunk: string) => {
      this.#text += chunk;
    });
    this.socket.write(`GET /v2/read?log&shard_id=s HTTP/1.1\r\nHost: ${address}\r\n\r\n`);
  }

  /** The numbers of the lines that came. */
  get lines(): number[] {
    return [...this.#text.matchAll(/"payload":"([^"]+)"/g)].map(([, payload = '']) =>
      Number(Buffer.from(payload, 'base64').toString().slice('line '.length)),
    );
  }
}
