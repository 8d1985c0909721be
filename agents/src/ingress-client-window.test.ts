import test from 'ava';
import { IngressWindow } from './ingress-client-window.ts';

const MIB = 1024 * 1024;

test('knows nothing of what was just written', (t) => {
  const window = new IngressWindow();
  t.is(window.unconfirmed(0), 0);
  window.wrote(100, 25_000, 0);
  window.wrote(1, 250, 1);
  t.is(window.unconfirmed(2), 101);
});

test('holds what lies further back than a peer can leave unread for received', (t) => {
  const window = new IngressWindow();
  for (let n = 0; n < 1000; n += 1) window.wrote(100, 32 * 1024, n);
  const unconfirmed = window.unconfirmed(1000);
  t.true(unconfirmed >= (32 + 24) * 100);
  t.true(unconfirmed <= (32 + 24 + 2) * 100);
});

test('counts the last messages however large they are', (t) => {
  const window = new IngressWindow();
  for (let n = 0; n < 100; n += 1) window.wrote(1, 5 * MIB, n);
  t.is(window.unconfirmed(100), 25);
});

test('holds what was written before the last pings for received', (t) => {
  const window = new IngressWindow();
  window.wrote(7, 1000, 0);
  window.wrote(5, 1000, 10_000);
  t.is(window.unconfirmed(34_999), 12);
  t.is(window.unconfirmed(35_000), 5);
  t.is(window.unconfirmed(45_000), 0);
});

test('does not let a trickle keep the old from being forgotten', (t) => {
  const window = new IngressWindow();
  for (let second = 0; second < 1000; second += 1) window.wrote(1, 250, second * 1000);
  t.true(window.unconfirmed(1_000_000) <= 40);
});
