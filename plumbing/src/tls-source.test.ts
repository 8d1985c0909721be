import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Issued } from './issuer.ts';
import { Metrics } from './metrics.ts';
import { eventually, type SpyLog, spyLog } from './testing.ts';
import { PemFolder, testAuthority, testIssue } from './testing-pki.ts';
import { readKeyPair, readTls, type Tls } from './tls.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const POLL = { pollMs: 5 };

test('a pair of which one half is written is not taken until the other is', async (t) => {
  const { folder, tls, log, metrics } = await followed(t);
  const old = String(tls.cert);
  const next = await testIssue('a', 'doppler', { edition: 2 });
  folder.put({ cert: next.cert });
  await eventually(() => refused(metrics) === 1);
  t.is(String(tls.cert), old);
  t.regex(String(log.lines.at(-1)?.fields.error), /tls\.key: is not the key of the certificate/);
  folder.put({ key: next.key });
  await eventually(() => String(tls.cert) === next.cert);
  t.is(String(tls.key), next.key);
  t.is(metrics.counter('certificate_reloads', '', { result: 'taken' }).value, 1);
});

for (const [what, spoil, told] of [
  ['a file that breaks off', (f) => f.put({ cert: '-----BEGIN CERTIFICATE-----\nMII' }), /no PEM/],
  ['an empty file', (folder) => folder.put({ ca: '' }), /no PEM/],
  ['a file that is gone', (folder) => rmSync(folder.files.key), /tls\.key: does not exist/],
] as [string, (folder: PemFolder) => void, RegExp][]) {
  test(`${what} changes nothing, is told and counted once, and tried again`, async (t) => {
    const { folder, tls, log, metrics } = await followed(t);
    const [cert, ca] = [String(tls.cert), String(tls.ca)];
    spoil(folder);
    await eventually(() => refused(metrics) === 1);
    t.is(String(tls.cert), cert);
    t.is(String(tls.ca), ca);
    t.regex(String(log.lines.at(-1)?.fields.error), told);

    const next = await testIssue('a', 'doppler', { edition: 2 });
    folder.put({ ...next, ca });
    await eventually(() => String(tls.cert) === next.cert);
    t.is(refused(metrics), 1);
    t.is(log.lines.filter(({ level }) => level === 'error').length, 1);
  });
}

test('a certificate that has expired, or is not valid yet, is not taken before its time', async (t) => {
  let now = Date.now();
  const { folder, tls, log, metrics } = await followed(t, { now: () => now });
  const old = String(tls.cert);
  folder.put(
    await testIssue('a', 'doppler', { notBefore: now - 3 * DAY_MS, notAfter: now - DAY_MS }),
  );
  await eventually(() => refused(metrics) === 1);
  t.regex(String(log.lines.at(-1)?.fields.error), /tls\.crt: the certificate expired on \d{4}-/);

  const early = await testIssue('a', 'doppler', { notBefore: now + DAY_MS });
  folder.put(early);
  await eventually(() => refused(metrics) === 2);
  t.is(String(tls.cert), old);
  now += 2 * DAY_MS;
  await eventually(() => String(tls.cert) === early.cert);
});

test('follows a symbolic link that is turned to another folder', async (t) => {
  const folder = new PemFolder();
  t.teardown(() => folder[Symbol.dispose]());
  const turn = (edition: string, pair: Issued): void => {
    mkdirSync(join(folder.folder, edition));
    for (const part of ['cert', 'key'] as const) {
      writeFileSync(join(folder.folder, edition, `tls.${part}`), pair[part]);
    }
    symlinkSync(edition, join(folder.folder, 'next'));
    renameSync(join(folder.folder, 'next'), join(folder.folder, 'current'));
  };
  const [first, second] = await Promise.all(
    [1, 2].map((edition) => testIssue('a', 'doppler', { edition })),
  );
  if (first === undefined || second === undefined) throw new Error('two were asked for');
  turn('one', first);
  const cert = join(folder.folder, 'current', 'tls.cert');
  const pair = readKeyPair({ cert, key: join(folder.folder, 'current', 'tls.key') }, POLL);
  const follow = pair.source?.follow(() => undefined);
  t.teardown(() => follow?.[Symbol.dispose]());
  turn('two', second);
  await eventually(() => String(pair.cert) === second.cert);
  t.is(String(pair.key), second.key);
});

test('a certificate is warned of once a day in its last week, and says how long it lasts', async (t) => {
  let now = Date.now();
  const notAfter = Math.floor(now / 1000) * 1000 + 10 * DAY_MS;
  const { log, metrics } = await followed(t, { now: () => now, issued: { notAfter } });
  const warnings = (): number =>
    log.lines.filter(({ text }) => text === 'a certificate will expire soon').length;
  t.is(warnings(), 0);
  now = notAfter - 5 * DAY_MS;
  await eventually(() => warnings() === 1);
  const shown = [...metrics.series()].find(({ name }) => name === 'certificate_expires_in');
  t.is(shown?.value, (5 * DAY_MS) / 1000);
  now += DAY_MS;
  await eventually(() => warnings() === 2);
  t.is(log.lines.at(-1)?.fields.expires, new Date(notAfter).toISOString());
});

test('nobody looks at the files once nobody follows them', async (t) => {
  const { folder, tls } = await followed(t);
  const other = readTls(folder.files, POLL);
  const following = other.source?.follow(() => t.fail('it was told of a change'));
  following?.[Symbol.dispose]();
  const next = await testIssue('a', 'doppler', { edition: 2 });
  folder.put(next);
  await eventually(() => String(tls.cert) === next.cert);
  t.not(String(other.cert), next.cert);
});

test('a copy of what was read stays as it is', async (t) => {
  const { folder, tls } = await followed(t);
  const copy = { ...tls };
  const next = await testIssue('a', 'doppler', { edition: 2 });
  folder.put(next);
  await eventually(() => String(tls.cert) === next.cert);
  t.not(String(copy.cert), next.cert);
  t.is(copy.source, undefined);
});

/** Files that are followed, and all that becomes of them. */
async function followed(
  t: ExecutionContext,
  options: { readonly now?: () => number; readonly issued?: { readonly notAfter: number } } = {},
): Promise<{
  folder: PemFolder;
  tls: Tls;
  log: SpyLog;
  metrics: Metrics;
}> {
  const folder = new PemFolder();
  t.teardown(() => folder[Symbol.dispose]());
  folder.put({
    ...(await testIssue('a', 'doppler', options.issued)),
    ca: (await testAuthority('a')).cert,
  });
  const log = spyLog();
  const metrics = new Metrics({ origin: 'doppler' });
  const { now = Date.now } = options;
  const tls = readTls(folder.files, { ...POLL, log, metrics, now });
  const follow = tls.source?.follow(() => undefined);
  t.teardown(() => follow?.[Symbol.dispose]());
  return { folder, tls, log, metrics };
}

function refused(metrics: Metrics): number {
  return metrics.counter('certificate_reloads', '', { result: 'refused' }).value;
}
