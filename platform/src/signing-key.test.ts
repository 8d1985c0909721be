import { generateKeyPairSync } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { KeyFileError, openSigningKey } from './signing-key.ts';
import { testFolder } from './testing.ts';

test('keeps its key in the file, for its owner alone, over restarts', async (t) => {
  const file = join(await testFolder(t), 'key.pem');
  const first = await openSigningKey(file);
  const second = await openSigningKey(file);
  t.is(first.id, second.id);
  t.deepEqual(first.shown, second.shown);
  t.is((await stat(file)).mode & 0o777, 0o600);
  t.regex(await readFile(file, 'utf8'), /^-----BEGIN PRIVATE KEY-----/);
});

test('makes a new key at each start when there is to be no file', async (t) => {
  const [first, second] = await Promise.all([openSigningKey(''), openSigningKey('')]);
  t.not(first.id, second.id);
});

test('shows its public half as numbers and as PEM', async (t) => {
  const { shown, id } = await openSigningKey('');
  t.like(shown, { kid: id, alg: 'RS256', kty: 'RSA', use: 'sig', e: 'AQAB' });
  t.regex(shown.value ?? '', /^-----BEGIN PUBLIC KEY-----\n[\s\S]+-----END PUBLIC KEY-----$/);
});

test('refuses a file that holds no key that is good for RS256, by its name', async (t) => {
  const folder = await testFolder(t);
  const pem = { type: 'pkcs8', format: 'pem' } as const;
  const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export(pem);
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export(pem);
  for (const [name, content] of Object.entries({ elliptic, short, empty: '' })) {
    const file = join(folder, name);
    await writeFile(file, content);
    const error = await t.throwsAsync(openSigningKey(file), { instanceOf: KeyFileError });
    t.true(error?.message.startsWith(`${file}: `), name);
  }
  const unreadable = await t.throwsAsync(openSigningKey(folder), { instanceOf: KeyFileError });
  t.regex(unreadable?.message ?? '', /cannot be read/);
});

test('says so when the key cannot be kept', async (t) => {
  const file = join(await testFolder(t), 'missing', 'key.pem');
  await t.throwsAsync(openSigningKey(file), {
    instanceOf: KeyFileError,
    message: /cannot be made/,
  });
});
