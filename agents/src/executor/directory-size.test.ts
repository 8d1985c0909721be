import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { directorySize } from './directory-size.ts';

test('adds up the files of a folder and of those below it, and follows no links', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-test-'));
  t.teardown(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, 'a', 'b'), { recursive: true });
  await writeFile(join(folder, 'one'), 'x'.repeat(100));
  await writeFile(join(folder, 'a', 'b', 'two'), 'x'.repeat(23));
  await symlink(folder, join(folder, 'a', 'loop'));
  t.deepEqual(await directorySize(folder), { bytes: 123, isComplete: true });
});

test('stops at the limit, and says that it did', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-test-'));
  t.teardown(() => rm(folder, { recursive: true }));
  for (const name of ['a', 'b', 'c']) await writeFile(join(folder, name), 'x');
  t.deepEqual(await directorySize(folder, 2), { bytes: 2, isComplete: false });
  t.deepEqual(await directorySize(folder, 3), { bytes: 3, isComplete: true });
});

test('finds nothing where there is nothing', async (t) => {
  t.deepEqual(await directorySize('/no/such/folder'), { bytes: 0, isComplete: true });
});
