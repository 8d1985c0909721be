import test from 'ava';
import { drainingLines } from './draining.ts';

test('the screen says for what a process that does not end waits, and how long', (t) => {
  t.deepEqual(
    drainingLines([
      processOf('syslog-adapter', 'syslog_adapter'),
      processOf('metron az1', 'metron'),
    ]),
    [
      'syslog-adapter still waits for drains to take what waits; their receivers may be gone: 12 s at most; Ctrl-C again does not wait.',
      'metron az1 still waits for what is under way: 12 s at most; Ctrl-C again does not wait.',
    ],
  );
});

function processOf(name: string, sourceId: string): Parameters<typeof drainingLines>[0][number] {
  return { spec: { name, sourceId, command: [], listeners: [], env: {} }, stopLimitMs: 12_000 };
}
