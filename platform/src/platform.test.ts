import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually, spyLog } from '@standpipe/plumbing/testing';
import test from 'ava';
import { DEFAULT_FILE } from './config.ts';
import { ModelError } from './model-file.ts';
import { startPlatform } from './platform.ts';
import {
  ask,
  clientToken,
  login,
  type RunningPlatform,
  runPlatform,
  testFolder,
} from './testing.ts';

const OBSERVABILITY = { metricsPort: 0, statsdAddress: '', metricsIntervalMs: 1000 };

test('says first of all that it is for development only', async (t) => {
  const { log } = await runPlatform(t);
  const [first] = log.lines;
  t.is(first?.level, 'warn');
  t.regex(first?.text ?? '', /for development only/);
});

test('takes an edit of its file, and leaves everything when the edit is bad', async (t) => {
  const platform = await runPlatform(t, { text: fileWith('one') });
  const { file, origin, log, metrics } = platform;
  const authorization = await clientToken(origin, 'c');
  const apps = async () => {
    const { body } = await ask(origin, '/v3/apps', { authorization });
    return body.resources.map(({ name }: { name: string }) => name).join();
  };
  t.is(await apps(), 'one');

  await writeFile(file, fileWith('one }, { name: two'));
  await tick(platform, async () => (await apps()) === 'one,two');

  await writeFile(file, fileWith('x/y'));
  await tick(platform, () => log.lines.some(({ level }) => level === 'error'));
  t.is(await apps(), 'one,two');
  t.is(metrics.counter('file_errors', '').value, 1);
  const told = log.lines.find(({ level }) => level === 'error');
  t.regex(String(told?.fields.reason), /organizations\[0\]\.spaces\[0\]\.apps\[0\]\.name: must be/);

  await writeFile(file, fileWith('three'));
  await tick(platform, async () => (await apps()) === 'three');
});

test('a user who left the file takes his tokens with him', async (t) => {
  const client = `clients: [{ id: cf, secret: '', grant_types: [password], scopes: [cloud_controller.read] }]`;
  const platform = await runPlatform(t, { text: `users: [{ name: u, password: u }]\n${client}` });
  const { access: authorization } = await login(platform.origin, 'u');
  const status = async () => (await ask(platform.origin, '/v3/apps', { authorization })).status;
  t.is(await status(), 200);
  await writeFile(platform.file, client);
  await tick(platform, async () => (await status()) === 401);
  t.pass();
});

test('tokens outlive a restart with a key file', async (t) => {
  const folder = await testFolder(t);
  const config = {
    address: '127.0.0.1:0',
    file: DEFAULT_FILE,
    url: '',
    keyFile: join(folder, 'key.pem'),
    observability: OBSERVABILITY,
  };
  const first = await startPlatform(config, spyLog());
  const authorization = await clientToken(`http://${first.address}`, 'nozzle');
  await first[Symbol.asyncDispose]();

  const second = await startPlatform(config, spyLog());
  t.teardown(() => second[Symbol.asyncDispose]());
  t.is((await ask(`http://${second.address}`, '/v3/apps', { authorization })).status, 200);

  const stranger = await runPlatform(t);
  t.is((await ask(stranger.origin, '/v3/apps', { authorization })).status, 401);
});

test('does not start with a file that is bad or missing, or where others can reach it', async (t) => {
  const folder = await testFolder(t);
  const file = join(folder, 'platform.yml');
  const config = {
    address: '127.0.0.1:0',
    file,
    url: '',
    keyFile: '',
    observability: OBSERVABILITY,
  };
  await t.throwsAsync(startPlatform(config, spyLog()), { code: 'ENOENT' });
  await writeFile(file, 'users: 1');
  await t.throwsAsync(startPlatform(config, spyLog()), { instanceOf: ModelError });
  await writeFile(file, '');
  const public_ = { ...config, address: '0.0.0.0:0' };
  await t.throwsAsync(startPlatform(public_, spyLog()), { message: /0\.0\.0\.0/ });
});

test('what it counts has help, and can be read', async (t) => {
  const { metricsPort, origin } = await runPlatform(t);
  await clientToken(origin, 'nozzle');
  const { text } = await ask(`http://127.0.0.1:${metricsPort}`, '/metrics');
  t.regex(text, /^tokens_issued\{grant="client_credentials"\} 1$/m);
});

function fileWith(app: string): string {
  return `
clients:
  - id: c
    secret: c
    grant_types: [client_credentials]
    authorities: [cloud_controller.admin_read_only]
organizations: [{ name: o, spaces: [{ name: s, apps: [{ name: ${app} }] }] }]
`;
}

/** Lets time pass, in the clock's and in the file system's sense, until the check holds. */
async function tick(
  { clock }: RunningPlatform,
  check: () => boolean | Promise<boolean>,
): Promise<void> {
  await eventually(async () => {
    await clock.advance(500);
    return check();
  });
}
