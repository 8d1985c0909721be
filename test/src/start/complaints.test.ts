import test from 'ava';
import { Complaints } from './complaints.ts';

test('shows what those warn of whose files one edits, as text', (t) => {
  const { said, complaints } = listened();
  complaints.hear('syslog_adapter', warning('a drain was refused', { reason: 'no', count: 2 }));
  complaints.hear('executor', warning('bad', { mistakes: ['a\n  ^', 'b'] }));
  complaints.hear(
    'platform',
    warning('worse', { error: { type: 'Error', message: 'oh', stack: '…' } }),
  );
  t.deepEqual(said, [
    'syslog-adapter: a drain was refused (reason: no, count: 2)',
    'executor: bad (mistakes: a ^; b)',
    'platform: worse (error: oh)',
  ]);
});

test('shows nothing of others, nothing below a warning, and no line that is no log', (t) => {
  const { said, complaints } = listened();
  complaints.hear('doppler', warning('a'));
  complaints.hear('executor', JSON.stringify({ level: 30, msg: 'b' }));
  complaints.hear('executor', 'metrics bound to: 127.0.0.1:1');
  t.deepEqual(said, []);
});

test('shows once what two say at the same time, and again what is said later', (t) => {
  const { said, complaints, clock } = listened();
  complaints.hear('executor', warning('bad'));
  clock.ms += 100;
  complaints.hear('executor', warning('bad'));
  t.deepEqual(said, ['executor: bad']);
  clock.ms += 5000;
  complaints.hear('executor', warning('bad'));
  t.is(said.length, 2);
});

function warning(msg: string, facts: object = {}): string {
  return JSON.stringify({ level: 40, time: '2026-01-02T03:04:05.006Z', name: 'x', ...facts, msg });
}

function listened() {
  const said: string[] = [];
  const clock = { ms: 0 };
  const complaints = new Complaints({ say: (line) => said.push(line), now: () => clock.ms });
  return { said, complaints, clock };
}
