import { eventually, TestDns } from '@standpipe/plumbing/testing';
import test from 'ava';
import { FakeEgress, Reader } from './testing.ts';
import { certificates, startProxy } from './testing-proxy.ts';

test('a change of the Doppler set needs no restart: a name is followed, and running readers too', async (t) => {
  const tls = await certificates();
  const first = await FakeEgress.listen({ tls: tls.doppler });
  const second = await FakeEgress.listen({ tls: tls.doppler });
  const dns = await TestDns.listen();
  t.teardown(async () => {
    await Promise.all([first, second, dns].map((opened) => opened[Symbol.asyncDispose]()));
  });
  const advertise = (...dopplers: readonly FakeEgress[]): void =>
    dns.setService(
      '_doppler._tcp.test',
      dopplers.map(({ address }) => ({ target: 'h.test', port: portOf(address) })),
    );
  dns.setHost('h.test', ['127.0.0.1']);
  advertise(first);

  const proxy = await startProxy(['_doppler._tcp.test'], {
    dns: { intervalMs: 100, servers: [dns.address] },
  });
  t.teardown(() => proxy[Symbol.asyncDispose]());
  const reader = new Reader({
    address: proxy.address,
    tls: tls.gateway,
    request: { selectors: [{ log: {} }] },
  });
  t.teardown(() => reader[Symbol.dispose]());
  await eventually(() => first.calls.length === 1);

  advertise(first, second);
  await eventually(() => second.calls.length === 1);
  t.is(first.calls.length, 1, 'the stream that was there is left alone');
  second.sendLines('a', 0, 3);
  await eventually(() => reader.envelopes.length === 3);
});

function portOf(address: string): number {
  return Number(address.split(':').at(-1));
}
