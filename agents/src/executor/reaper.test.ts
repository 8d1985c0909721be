import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { eventually, spyLog } from '@standpipe/plumbing/testing';
import test from 'ava';
import { Reaper } from './reaper.ts';

test('kills what is still guarded when it ends, and nothing that was released', async (t) => {
  const reaper = new Reaper(spyLog());
  const [guarded, released, other] = [sleeper(), sleeper(), sleeper()];
  for (const child of [guarded, released, other]) await reaper.guard(child.pid);
  await reaper.release(released.pid);
  await reaper.release(released.pid);
  await reaper[Symbol.asyncDispose]();

  t.is((await guarded.ended).signal, 'SIGKILL');
  t.is((await other.ended).signal, 'SIGKILL');
  t.true(process.kill(released.pid, 0));
  process.kill(-released.pid, 'SIGKILL');
  await released.ended;
});

test('keeps up with the restarts of one instance among a thousand', async (t) => {
  const reaper = new Reaper(spyLog());
  const nobody = 5_000_000; // Above the numbers that Linux gives to processes.
  const startedAt = performance.now();
  for (let group = 0; group < 1000; group += 1) await reaper.guard(nobody + group);
  for (let group = 1000; group < 1200; group += 1) {
    await reaper.guard(nobody + group);
    await reaper.release(nobody + group);
  }
  await reaper[Symbol.asyncDispose]();
  t.true(performance.now() - startedAt < 8000);
});

test('is replaced when it is killed, by one that knows all groups', async (t) => {
  const log = spyLog();
  const reaper = new Reaper(log);
  const child = sleeper();
  await reaper.guard(child.pid);
  const first = reaper.pid ?? 0;
  process.kill(first, 'SIGKILL');
  await eventually(() => reaper.pid !== first);
  t.deepEqual(
    log.lines.map(({ text }) => text),
    ['the reaper ended, starting another'],
  );
  await reaper[Symbol.asyncDispose]();
  t.is((await child.ended).signal, 'SIGKILL');
});

function sleeper(): { readonly pid: number; readonly ended: Promise<{ signal: unknown }> } {
  const child: ChildProcess = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
  const ended = once(child, 'exit').then(([, signal]) => ({ signal }));
  return { pid: child.pid ?? 0, ended };
}
