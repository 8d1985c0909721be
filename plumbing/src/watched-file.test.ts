import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { eventually, ManualClock } from './testing.ts';
import { WatchedFile } from './watched-file.ts';

test('tells of each change, and of none that was none', async (t) => {
  const { path, file, clock, heard } = await watched(t, 'one');
  t.is(await file.read(), 'one');
  file.watch();

  await clock.advance(5_000);
  await writeFile(path, 'three');
  await tick(clock, () => heard.length === 1);
  await writeFile(`${path}.new`, 'four');
  await rename(`${path}.new`, path);
  await tick(clock, () => heard.length === 2);
  await file[Symbol.asyncDispose]();
  t.deepEqual(heard, ['three', 'four']);
});

test('tells once that the file is gone, and goes on when it is back', async (t) => {
  const { path, file, clock, heard } = await watched(t, 'one');
  await file.read();
  file.watch();
  await rm(path);
  await tick(clock, () => heard.length === 1);
  await clock.advance(5_000);
  await writeFile(path, 'two');
  await tick(clock, () => heard.length === 2);
  await file[Symbol.asyncDispose]();
  t.deepEqual(heard, ['ENOENT', 'two']);
});

test('refuses a file that is not there, or too large', async (t) => {
  const { path, file } = await watched(t, 'x'.repeat(1024 * 1024 + 1));
  await t.throwsAsync(file.read(), { message: /the limit is 1048576/ });
  await rm(path);
  await t.throwsAsync(file.read(), { code: 'ENOENT' });
});

async function watched(t: ExecutionContext, text: string) {
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-test-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = join(folder, 'apps.yml');
  await writeFile(path, text);
  const clock = new ManualClock();
  const heard: string[] = [];
  const file = new WatchedFile({
    path,
    clock,
    onChange: (changed) => heard.push(changed),
    onError: (error) => heard.push((error as NodeJS.ErrnoException).code ?? ''),
  });
  return { path, file, clock, heard };
}

/** Lets time pass, in the clock's and in the file system's sense, until the check holds. */
async function tick(clock: ManualClock, check: () => boolean): Promise<void> {
  await eventually(async () => {
    await clock.advance(500);
    return check();
  });
}
