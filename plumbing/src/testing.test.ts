import test from 'ava';
import { eventually, spyLog } from './testing.ts';

test('waits until a check holds, and gives what it gave', async (t) => {
  let tries = 0;
  const result = await eventually(async () => {
    tries += 1;
    if (tries < 3) throw new Error('not yet');
    return tries === 5 ? 'done' : '';
  });
  t.is(result, 'done');
});

test('says what did not happen, and the last error', async (t) => {
  const failing = eventually(
    () => {
      throw new Error('still down');
    },
    { timeoutMs: 20, what: 'the restart' },
  );
  const error = await t.throwsAsync(failing, {
    message: 'the restart did not happen within 20 ms',
  });
  t.like(error?.cause, { message: 'still down' });
});

test('keeps the lines of a log and of its children', (t) => {
  const log = spyLog();
  log.info({ a: 1 }, 'one');
  log.child({ b: 2 }).limited('key', 'warn', { c: 3 }, 'two');
  t.deepEqual(log.lines, [
    { level: 'info', fields: { a: 1 }, text: 'one' },
    { level: 'warn', fields: { b: 2, c: 3 }, text: 'two', key: 'key' },
  ]);
});
