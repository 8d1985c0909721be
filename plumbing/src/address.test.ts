import test from 'ava';
import { formatAddress, isLoopback, parseAddress } from './address.ts';

for (const [text, host, port] of [
  ['127.0.0.1:8082', '127.0.0.1', 8082],
  ['doppler-0.service.cf.internal:443', 'doppler-0.service.cf.internal', 443],
  ['[::1]:0', '::1', 0],
  [':8080', '', 8080],
] as const) {
  test(`reads ${text} and writes it again`, (t) => {
    t.deepEqual(parseAddress(text), { host, port });
    t.is(formatAddress({ host, port }), text);
  });
}

for (const text of ['', 'host', 'host:', 'host:65536', 'host:-1', '::1:80', '[host]:80', 'a b:1']) {
  test(`refuses "${text}"`, (t) => {
    t.is(parseAddress(text), undefined);
  });
}

for (const [host, loopback] of [
  ['127.0.0.1', true],
  ['127.8.9.10', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['', false],
  ['127.0.0.1.example.com', false],
] as const) {
  test(`${host === '' ? 'no host' : host} is ${loopback ? '' : 'not '}this machine alone`, (t) => {
    t.is(isLoopback(host), loopback);
  });
}
