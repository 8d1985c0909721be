import test from 'ava';
import { rateLine, sumOf } from './rates.ts';

test('sums a metric over its label sets and leaves its longer namesakes alone', (t) => {
  const text = [
    '# HELP dropped Envelopes dropped.',
    'dropped{direction="ingress"} 2',
    'dropped{direction="egress"} 40',
    'dropped_total 1000',
    'ingress 5',
  ].join('\n');
  t.is(sumOf(text, 'dropped'), 42);
  t.is(sumOf(text, 'ingress'), 5);
  t.is(sumOf(text, 'absent'), 0);
});

test('tells rates between two readings, and drops in all', (t) => {
  const before = { ingress: 100, stored: 90, egress: 0, dropped: 1 };
  const after = { ingress: 300, stored: 290, egress: 50, dropped: 3 };
  t.is(
    rateLine(before, after, 2),
    'envelopes: in 100/s   stored 100/s   out 25/s   dropped 1/s (3 in all)',
  );
});

test('a process that was restarted makes no negative rates', (t) => {
  const before = { ingress: 100, stored: 0, egress: 0, dropped: 0 };
  t.regex(rateLine(before, { ...before, ingress: 5 }, 1), /^envelopes: in 0\/s/);
});
