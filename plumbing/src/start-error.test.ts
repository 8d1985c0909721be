import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { startErrorText } from './start-error.ts';
import { readAuthorities, readKeyPair } from './tls.ts';

test('a certificate that is not there is told with the settings that name it', (t) => {
  const error = t.throws(() => readKeyPair({ cert: '/no/such.crt', key: '/no/such.key' }));
  const vars = { CERT_PATH: '/no/such.crt', KEY_PATH: '/no/such.key', HOME: '/no' };
  t.is(startErrorText(error, vars), 'CERT_PATH: /no/such.crt: does not exist');
  const twice = { ...vars, B_CERT: '/no/such.crt' };
  t.is(startErrorText(error, twice), 'B_CERT, CERT_PATH: /no/such.crt: does not exist');
  t.is(startErrorText(error, {}), '/no/such.crt: does not exist');
});

test('so is one that is no certificate', (t) => {
  const file = fileURLToPath(import.meta.url);
  const error = t.throws(() => readAuthorities(file));
  t.true(startErrorText(error, { CA_PATH: file }).startsWith(`CA_PATH: ${file}: `));
});

test('so is any other file that is not there', (t) => {
  const error = t.throws(() => readFileSync('no/such.yml'));
  const text = startErrorText(error, { BINDINGS_FILE: 'no/such.yml', HOME: '/no' });
  t.is(text, "BINDINGS_FILE: ENOENT: no such file or directory, open 'no/such.yml'");
});

test('other errors stay what they are', (t) => {
  t.is(startErrorText(new Error('why'), { A: 'why' }), 'why');
  t.is(startErrorText('text', {}), 'text');
});

test('a process that does not start says so on stderr', (t) => {
  const [service, tls] = ['./service.js', './tls.js'].map((path) => new URL(path, import.meta.url));
  const program = `
    const { run } = await import(${JSON.stringify(service)});
    const { readAuthorities } = await import(${JSON.stringify(tls)});
    await run(async () => readAuthorities(process.env.CA_PATH));`;
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', program],
    { env: { CA_PATH: '/no/such.crt' }, encoding: 'utf8' },
  );
  t.is(stderr, 'CA_PATH: /no/such.crt: does not exist\n');
  t.is(status, 1);
});
