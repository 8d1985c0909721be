import test from 'ava';
import { originOf, websocketOrigin } from './origin.ts';

const FALLBACK = 'http://127.0.0.1:9001';

test('names the origin that the client asked for, at the front door or past it', (t) => {
  t.is(originOf({ host: '127.0.0.1:9001' }, FALLBACK), 'http://127.0.0.1:9001');
  t.is(
    originOf(
      {
        host: '127.0.0.1:9001',
        'x-forwarded-host': 'api.example.com, inner:1',
        'x-forwarded-proto': 'https',
      },
      FALLBACK,
    ),
    'https://api.example.com',
  );
  t.is(originOf({ host: '[::1]:8081' }, FALLBACK), 'http://[::1]:8081');
});

test('names its own when what was asked for is no host', (t) => {
  for (const host of ['', 'a b', 'x/y', 'x:99999', '[::::]', '"><script>', 'user@host']) {
    t.is(originOf({ host }, FALLBACK), FALLBACK, host);
  }
  t.is(originOf({}, FALLBACK), FALLBACK);
});

test('has the same origin for websockets', (t) => {
  t.is(websocketOrigin('https://a:1'), 'wss://a:1');
  t.is(websocketOrigin('http://a:1'), 'ws://a:1');
});
