import { X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { ensureCertificates } from './authority.ts';
import { readTls } from './tls.ts';

test('makes an authority and a certificate for each name', async (t) => {
  const folder = await emptyFolder(t);
  await ensureCertificates(folder, ['metron', { name: 'doppler', dns: ['log-cache'] }]);
  t.deepEqual((await readdir(folder)).toSorted(), [
    'ca.crt',
    'ca.key',
    'doppler.crt',
    'doppler.key',
    'metron.crt',
    'metron.key',
  ]);
  t.notThrows(() => readTls(filesOf(folder, 'doppler')));
  const ca = new X509Certificate(await readFile(join(folder, 'ca.crt')));
  t.true(ca.ca);

  const doppler = new X509Certificate(await readFile(join(folder, 'doppler.crt')));
  t.true(doppler.verify(ca.publicKey));
  t.is(doppler.subject, 'CN=doppler');
  t.is(doppler.subjectAltName, 'DNS:doppler, DNS:log-cache, DNS:localhost, IP Address:127.0.0.1');
  t.deepEqual(doppler.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'], 'server and client');
});

test('lets nobody else read the keys', async (t) => {
  const folder = await emptyFolder(t);
  await ensureCertificates(folder, ['metron']);
  for (const name of ['ca.key', 'metron.key']) {
    t.is((await stat(join(folder, name))).mode & 0o777, 0o600, name);
  }
});

test('keeps what is there, and adds what is missing under the same authority', async (t) => {
  const folder = await emptyFolder(t);
  await ensureCertificates(folder, ['metron']);
  const before = await contentsOf(folder);
  await ensureCertificates(folder, ['metron', 'executor']);
  const after = await contentsOf(folder);
  for (const [name, content] of before) t.is(after.get(name), content, name);
  t.true(after.has('executor.crt'));
});

test('makes a certificate anew that lacks a name, was cut short, or is of another authority', async (t) => {
  const folder = await emptyFolder(t);
  await ensureCertificates(folder, ['metron', 'doppler', 'executor']);
  await writeFile(join(folder, 'metron.key'), '-----BEGIN PRIV');
  const stranger = await emptyFolder(t);
  await ensureCertificates(stranger, ['executor']);
  for (const file of ['executor.crt', 'executor.key']) {
    await writeFile(join(folder, file), await readFile(join(stranger, file)));
  }
  const names = ['metron', { name: 'doppler', dns: ['log-cache'] }, 'executor'];
  await ensureCertificates(folder, names);
  const ca = new X509Certificate(await readFile(join(folder, 'ca.crt')));
  for (const name of ['metron', 'doppler', 'executor']) {
    const { cert } = readTls(filesOf(folder, name));
    t.true(new X509Certificate(cert).verify(ca.publicKey), name);
  }
  const doppler = new X509Certificate(await readFile(join(folder, 'doppler.crt')));
  t.is(doppler.checkHost('log-cache'), 'log-cache');
});

test('makes everything anew when the authority cannot be read', async (t) => {
  const folder = await emptyFolder(t);
  await ensureCertificates(folder, ['metron']);
  await writeFile(join(folder, 'ca.crt'), 'cut sho');
  await ensureCertificates(folder, ['metron']);
  const ca = new X509Certificate(await readFile(join(folder, 'ca.crt')));
  t.true(new X509Certificate(readTls(filesOf(folder, 'metron')).cert).verify(ca.publicKey));
});

test('agrees with another that makes certificates in the same folder at the same time', async (t) => {
  const folder = await emptyFolder(t);
  const names = ['metron', 'doppler'];
  await Promise.all([ensureCertificates(folder, names), ensureCertificates(folder, names)]);
  const ca = new X509Certificate(await readFile(join(folder, 'ca.crt')));
  for (const name of names) {
    const { cert } = readTls(filesOf(folder, name));
    t.true(new X509Certificate(cert).verify(ca.publicKey));
  }
});

test('takes over the lock of one that died', async (t) => {
  const folder = await emptyFolder(t);
  await writeFile(join(folder, 'lock'), '');
  const longAgo = new Date(Date.now() - 3_600_000);
  await utimes(join(folder, 'lock'), longAgo, longAgo);
  await ensureCertificates(folder, []);
  t.false((await readdir(folder)).includes('lock'));
});

async function emptyFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-authority-'));
  t.teardown(() => rm(folder, { recursive: true }));
  return folder;
}

function filesOf(folder: string, name: string): { ca: string; cert: string; key: string } {
  return {
    ca: join(folder, 'ca.crt'),
    cert: join(folder, `${name}.crt`),
    key: join(folder, `${name}.key`),
  };
}

async function contentsOf(folder: string): Promise<Map<string, string>> {
  const contents = new Map<string, string>();
  for (const name of await readdir(folder)) {
    contents.set(name, await readFile(join(folder, name), 'utf8'));
  }
  return contents;
}
