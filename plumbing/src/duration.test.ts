import test from 'ava';
import { formatDuration, parseDuration } from './duration.ts';

for (const [text, ms] of [
  ['0', 0],
  ['0s', 0],
  ['500ms', 500],
  ['1.5s', 1500],
  ['.5s', 500],
  ['1h30m', 5_400_000],
  ['1m0.5s', 60_500],
  ['250us', 0.25],
  ['250µs', 0.25],
  ['1000000ns', 1],
  ['14m', 840_000],
] as const) {
  test(`reads ${text} as ${ms} ms`, (t) => {
    t.is(parseDuration(text), ms);
  });
}

for (const text of ['', '5', '-5s', '5 s', '5sec', 's', '1.s.', '1h30', 'Infinity', '1d', '1e3s']) {
  test(`refuses "${text}"`, (t) => {
    t.is(parseDuration(text), undefined);
  });
}

for (const [ms, text] of [
  [0, '0s'],
  [500, '500ms'],
  [60_500, '1m500ms'],
  [5_400_000, '1h30m'],
] as const) {
  test(`writes ${ms} ms as ${text}`, (t) => {
    t.is(formatDuration(ms), text);
    t.is(parseDuration(text), ms);
  });
}
