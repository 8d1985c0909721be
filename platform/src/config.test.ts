import { readFile } from 'node:fs/promises';
import test from 'ava';
import { DEFAULT_FILE, readConfig } from './config.ts';

test('needs no settings', (t) => {
  t.like(readConfig({}), { address: '127.0.0.1:9001', file: DEFAULT_FILE, url: '', keyFile: '' });
});

test('uses the example when no file is named', async (t) => {
  t.regex(await readFile(DEFAULT_FILE, 'utf8'), /^# Who and what the platform knows/);
});

test('listens on loopback only', (t) => {
  t.throws(() => readConfig({ PLATFORM_ADDR: '0.0.0.0:9001' }), {
    message: /PLATFORM_ADDR must be on loopback/,
  });
  t.is(readConfig({ PLATFORM_ADDR: '[::1]:0' }).address, '[::1]:0');
});

test('takes an origin as its URL, and nothing after it', (t) => {
  t.is(
    readConfig({ PLATFORM_URL: 'https://api.example.com:8443/' }).url,
    'https://api.example.com:8443',
  );
  for (const url of ['api.example.com', 'ftp://x', 'http://x/y', 'http://x/?y']) {
    t.throws(() => readConfig({ PLATFORM_URL: url }), { message: /PLATFORM_URL must be/ }, url);
  }
});
