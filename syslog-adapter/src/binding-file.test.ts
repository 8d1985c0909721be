import { execFileSync } from 'node:child_process';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Metrics, systemClock } from '@standpipe/plumbing';
import { eventually, type SpyLog, spyLog } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { BindingFile } from './binding-file.ts';
import { type AdapterMetrics, adapterMetrics } from './metrics.ts';

test('reads the file at once, and again when it is written over', async (t) => {
  const { path, seen } = await opened(t, short('one'));
  t.deepEqual(seen, [['one']]);
  await writeFile(path, short('two'));
  await eventually(() => seen.length === 2);
  t.deepEqual(seen[1], ['two']);
});

test('sees a file that is renamed over the old one, each time', async (t) => {
  const { path, seen } = await opened(t, short('one'));
  for (const app of ['two', 'three']) {
    await writeFile(`${path}.new`, short(app));
    await rename(`${path}.new`, path);
    await eventually(() => seen.at(-1)?.[0] === app);
  }
  t.is(seen.length, 3);
});

test('keeps the bindings of a file that became unreadable, and says so once', async (t) => {
  const { path, seen, metrics, log } = await opened(t, short('one'));
  await writeFile(path, '{ not: [a, list');
  await eventually(() => metrics.refreshErrors.value === 1);
  t.deepEqual(seen, [['one']]);
  const errors = log.lines.filter(({ level }) => level === 'error');
  t.is(errors.length, 1);
  t.regex(errors[0]?.text ?? '', /bindings cannot be read/);
  t.regex(String(errors[0]?.fields.reason), /neither YAML nor JSON/);

  await writeFile(path, short('two'));
  await eventually(() => seen.length === 2);
});

test('keeps the bindings of a file that was removed, and takes it when it returns', async (t) => {
  const { path, seen, metrics } = await opened(t, short('one'));
  await rm(path);
  await eventually(() => metrics.refreshErrors.value === 1);
  t.is(seen.length, 1);
  await writeFile(path, short('two'));
  await eventually(() => seen.length === 2);
});

test('starts without a file, and takes it when it comes', async (t) => {
  const { path, seen, metrics } = await opened(t, undefined);
  t.deepEqual(seen, []);
  t.is(metrics.refreshErrors.value, 1);
  await writeFile(path, short('one'));
  await eventually(() => seen.length === 1);
});

test('counts refused drains and names them in the log', async (t) => {
  const bad = '- {url: "https://user:word@host/x?token=1", app_id: two}\n';
  const { metrics, log, seen } = await opened(t, short('one') + bad);
  t.deepEqual(seen, [['one']]);
  t.is(metrics.invalid.value, 1);
  const [line] = log.lines.filter(({ text }) => text === 'a drain was refused');
  t.deepEqual(line?.fields, {
    app_id: 'two',
    drain_url: 'https://host/x',
    reason: 'drains with https:// are not supported yet',
  });
});

test('names a hundred refused drains in the log, and counts the rest', async (t) => {
  const bad = Array.from({ length: 250 }, (_, n) => `- {url: "https://host", app_id: a${n}}\n`);
  const { metrics, log } = await opened(t, bad.join(''));
  t.is(metrics.invalid.value, 250);
  t.is(log.lines.filter(({ text }) => text === 'a drain was refused').length, 100);
  const [rest] = log.lines.filter(({ text }) => text === 'more drains were refused');
  t.deepEqual(rest?.fields, { count: 150 });
});

test('does not wait for what is no regular file', async (t) => {
  const { path, seen, metrics, log } = await opened(t, short('one'));
  await rm(path);
  execFileSync('mkfifo', [path]);
  await eventually(() => log.lines.some(({ fields }) => fields.reason === 'no regular file'));
  t.true(metrics.refreshErrors.value >= 1);
  t.deepEqual(seen, [['one']]);
});

interface Opened {
  readonly path: string;
  /** The app ids of each list of bindings that was given. */
  readonly seen: string[][];
  readonly metrics: AdapterMetrics;
  readonly log: SpyLog;
}

async function opened(t: ExecutionContext, content: string | undefined): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), 'bindings-'));
  const path = join(folder, 'bindings.yml');
  if (content !== undefined) await writeFile(path, content);
  const seen: string[][] = [];
  const log = spyLog();
  const metrics = adapterMetrics(new Metrics({ origin: 'test' }));
  const file = await BindingFile.open({
    path,
    rules: { perApp: 5, metadata: true },
    metrics,
    log,
    clock: systemClock,
    onBindings: ({ drains }) => seen.push(drains.map(({ appId }) => appId)),
  });
  t.teardown(async () => {
    await file[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  return { path, seen, metrics, log };
}

function short(appId: string): string {
  return `- {url: "syslog://127.0.0.1:514", app_id: ${appId}}\n`;
}
