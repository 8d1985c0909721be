import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { TlsError } from './certificates.ts';
import { Env } from './env.ts';
import { testTls } from './testing.ts';
import { readKeyPair, readTls, type TlsFiles, tlsSettings } from './tls.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

test('reads a certificate, its key and its authority', async (t) => {
  const { doppler } = await testTls('doppler');
  const tls = readTls(doppler);
  t.true(tls.cert.includes('BEGIN CERTIFICATE'));
  t.true(tls.ca.includes('BEGIN CERTIFICATE'));
  t.true(tls.key.includes('BEGIN PRIVATE KEY'));
  t.deepEqual(readKeyPair(doppler), { cert: tls.cert, key: tls.key });
});

for (const kind of ['ca', 'cert', 'key'] as const) {
  test(`names the ${kind} file when it does not exist`, async (t) => {
    const { doppler } = await testTls('doppler');
    const error = t.throws(() => readTls({ ...doppler, [kind]: '/nowhere/file.pem' }), {
      instanceOf: TlsError,
    });
    t.is(error?.file, '/nowhere/file.pem');
    t.is(error?.message, '/nowhere/file.pem: does not exist');
  });

  test(`names the ${kind} file when it is no PEM`, async (t) => {
    const files = await copyOfFiles(t);
    await writeFile(files[kind], 'not PEM');
    const error = t.throws(() => readTls(files), { instanceOf: TlsError });
    t.regex(error?.message ?? '', new RegExp(`^${files[kind]}: holds no PEM`));
  });

  test(`names the ${kind} file when it is a folder`, async (t) => {
    const { doppler } = await testTls('doppler');
    t.throws(() => readTls({ ...doppler, [kind]: tmpdir() }), { message: /EISDIR/ });
  });
}

test('names the certificate and the date when it has expired', async (t) => {
  const { doppler } = await testTls('doppler');
  const error = t.throws(() => readKeyPair(doppler, { now: () => Date.now() + 400 * DAY_MS }));
  t.regex(
    error?.message ?? '',
    /doppler\.crt: the certificate expired on \d{4}-\d\d-\d\dT[\d:]+\.000Z$/,
  );
});

test('names the certificate and the date when it is not valid yet', async (t) => {
  const { doppler } = await testTls('doppler');
  t.throws(() => readTls(doppler, { now: () => Date.now() - DAY_MS }), {
    message: /ca\.crt: the certificate is not valid before \d{4}-/,
  });
});

test('names the key that is of another certificate', async (t) => {
  const { doppler, metron } = await testTls('doppler', 'metron');
  t.throws(() => readTls({ ...doppler, key: metron.key }), {
    message: /metron\.key: is not the key of the certificate in .*doppler\.crt$/,
  });
});

test('refuses a PEM certificate that cannot be read', async (t) => {
  const files = await copyOfFiles(t);
  const pem = await readFile(files.cert, 'utf8');
  await writeFile(files.cert, pem.replace(/[A-Za-z]{20}/, 'AAAAAAAAAAAAAAAAAAAA'));
  t.throws(() => readTls(files), { message: /doppler\.crt: / });
});

test('takes a bundle of authorities of which one is valid', async (t) => {
  const files = await copyOfFiles(t);
  const ca = await readFile(files.ca, 'utf8');
  await writeFile(files.ca, `${ca}\n# the one of before\n${ca}`);
  t.notThrows(() => readTls(files));
});

test('asks for all three files by the names of their variables', (t) => {
  const names = { ca: 'ROUTER_CA_FILE', cert: 'ROUTER_CERT_FILE', key: 'ROUTER_KEY_FILE' };
  const env = new Env({ ROUTER_CA_FILE: 'ca', ROUTER_CERT_FILE: 'cert' });
  t.like(tlsSettings(env, names), { ca: 'ca', cert: 'cert' });
  t.throws(() => env.done(), { message: 'bad settings: ROUTER_KEY_FILE must be set' });
});

async function copyOfFiles(t: ExecutionContext): Promise<TlsFiles> {
  const { doppler } = await testTls('doppler');
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-tls-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const files = {
    ca: join(folder, 'ca.crt'),
    cert: join(folder, 'doppler.crt'),
    key: join(folder, 'doppler.key'),
  };
  await copyFile(doppler.ca, files.ca);
  await copyFile(doppler.cert, files.cert);
  await copyFile(doppler.key, files.key);
  return files;
}
