import { generateKeyPairSync } from 'node:crypto';
import test from 'ava';
import { checkPem, TlsError } from './certificates.ts';
import { testAuthority, testIssue } from './testing-pki.ts';

const FILES = { ca: 'ca.crt', cert: 'tls.crt', key: 'tls.key' };
const NOW = Date.now();
const HOUR_MS = 60 * 60 * 1000;

test('takes authorities by their CERTIFICATE blocks without headers, and passes over the rest', async (t) => {
  const [a, b] = [(await testAuthority('a')).cert, (await testAuthority('b')).cert];
  const { cert, key } = await testIssue('a', 'doppler');
  const withHeaders = b.replace('CERTIFICATE-----\n', 'CERTIFICATE-----\nA: b\n\n');
  const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  const ca = `who signs\n${withHeaders}${broken}${key}${trusted(b)}${a}`;
  const { pem } = checkPem(FILES, { ca: bytes(ca), cert: bytes(cert), key: bytes(key) }, NOW);
  t.is(String(pem.ca), a);
});

for (const [what, ca] of [
  ['nothing', ''],
  ['no PEM', 'not PEM'],
  ['only what cannot be read', '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n'],
] as const) {
  test(`refuses a file of authorities that holds ${what}`, (t) => {
    const error = t.throws(() => checkPem({ ca: 'ca.crt' }, { ca: bytes(ca) }, NOW), {
      instanceOf: TlsError,
    });
    t.is(error?.message, 'ca.crt: holds no PEM certificate');
  });
}

test('takes a certificate and its key from one file, the certificates that sign it after it', async (t) => {
  const { cert, key } = await testIssue('a', 'doppler');
  const one = bytes(`${key}${cert}${(await testAuthority('a')).cert}`);
  const { pem } = checkPem({ cert: 'tls.pem', key: 'tls.pem' }, { cert: one, key: one }, NOW);
  t.is(pem.cert, one);
});

test("does not ask that its own certificate be of the authority in the clients' file", async (t) => {
  const { cert, key } = await testIssue('a', 'doppler');
  const ca = (await testAuthority('b')).cert;
  t.notThrows(() => checkPem(FILES, { ca: bytes(ca), cert: bytes(cert), key: bytes(key) }, NOW));
});

test('takes an ECDSA key, which TLS 1.3 can use', async (t) => {
  const { cert, key } = await testIssue('a', 'doppler', { algorithm: 'ecdsa' });
  t.notThrows(() => checkPem(FILES, { cert: bytes(cert), key: bytes(key) }, NOW));
});

test('says that a key is encrypted', async (t) => {
  const { cert } = await testIssue('a', 'doppler');
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
  });
  const pair = { cert: bytes(cert), key: bytes(privateKey) };
  t.throws(() => checkPem(FILES, pair, NOW), { message: /^tls\.key: .*encrypted/ });
});

test('names the file of authorities and the date when all of them have expired', async (t) => {
  const ca = bytes(`${(await testAuthority('a')).cert}${(await testAuthority('b')).cert}`);
  t.throws(() => checkPem({ ca: 'ca.crt' }, { ca }, NOW + 400 * 24 * HOUR_MS), {
    message: /^ca\.crt: the certificate expired on \d{4}-\d\d-\d\dT/,
  });
});

test('says what ends first: the certificate, or the last of its authorities', async (t) => {
  const { cert, key } = await testIssue('a', 'doppler', { notAfter: NOW + HOUR_MS });
  const ca = bytes((await testAuthority('a')).cert);
  const read = { ca, cert: bytes(cert), key: bytes(key) };
  const checked = checkPem(FILES, read, NOW);
  t.is(checked.file, 'tls.crt');
  t.is(checked.expiresAt, Math.floor((NOW + HOUR_MS) / 1000) * 1000);
  t.is(checkPem({ ca: 'ca.crt' }, { ca }, NOW).file, 'ca.crt');
});

function bytes(text: string): Buffer {
  return Buffer.from(text);
}

/** In OpenSSL's own form, which it would take and Go does not. */
function trusted(pem: string): string {
  return pem.replaceAll('CERTIFICATE', 'X509 CERTIFICATE');
}
