import test from 'ava';
import { systemClock } from './clock.ts';
import { ManualClock } from './testing.ts';

test('sleeps as long as it is told to', async (t) => {
  const before = performance.now();
  await systemClock.sleep(20);
  t.true(performance.now() - before >= 18);
});

test('wakes at once when the signal is aborted, before or during the sleep', async (t) => {
  const stop = new AbortController();
  const sleeping = systemClock.sleep(60_000, stop.signal);
  stop.abort();
  await sleeping;
  await systemClock.sleep(60_000, stop.signal);
  t.pass();
});

test('a manual clock wakes sleepers in the order of their time', async (t) => {
  const clock = new ManualClock(1000);
  const woken: string[] = [];
  const sleepers = [
    clock.sleep(30).then(() => woken.push(`late at ${clock.now()}`)),
    clock.sleep(10).then(() => woken.push(`early at ${clock.now()}`)),
  ];
  await clock.advance(29);
  t.deepEqual(woken, ['early at 1010']);
  t.is(clock.now(), 1029);
  t.is(clock.sleeping, 1);
  await clock.advance(1);
  await Promise.all(sleepers);
  t.deepEqual(woken, ['early at 1010', 'late at 1030']);
});

test('a manual clock lets a sleeper sleep again within one advance', async (t) => {
  const clock = new ManualClock();
  const at: number[] = [];
  const loop = (async () => {
    for (let turn = 0; turn < 3; turn += 1) {
      await clock.sleep(10);
      at.push(clock.now());
    }
  })();
  await clock.advance(35);
  await loop;
  t.deepEqual(at, [10, 20, 30]);
});

test('a manual clock wakes a sleeper whose signal is aborted', async (t) => {
  const clock = new ManualClock();
  const stop = new AbortController();
  const sleeping = clock.sleep(10, stop.signal);
  stop.abort();
  await sleeping;
  t.is(clock.sleeping, 0);
});
