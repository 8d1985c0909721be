/**
 * `npm start -- --secure`: every command on its screen does what it says; and a secure pipeline's
 * doors, asked by real clients with every kind of token.
 */

import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { eventually } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import WebSocket from 'ws';
import { ask, TextStream } from '../clients/http.ts';
import { IngressCaller } from '../clients/ingress.ts';
import { hasRsyslog } from '../rsyslog.ts';
import { testPipeline } from '../testing.ts';
import { randomOffset, started } from './testing.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const MANUAL = `${ROOT}docs/platform.md`;
const APP = '73467cc3-261a-472e-80e8-d6eadfd30d98';
const OTHER = '5b4ce2a1-8f0d-4d5e-b5a8-6f3b1c1d2e3f';

const LOGIN = {
  secret: '',
  grant_types: ['password', 'refresh_token'],
  scopes: ['cloud_controller.read', 'cloud_controller.admin', 'doppler.firehose', 'logs.admin'],
};
const PLATFORM = {
  users: [
    { name: 'admin', password: 'secret', scopes: LOGIN.scopes.slice(1) },
    { name: 'dev', password: 'secret', spaces: ['local/local'] },
  ],
  clients: [
    { id: 'cf', ...LOGIN },
    { id: 'brief', ...LOGIN, access_token_validity: 2 },
    {
      id: 'doppler',
      secret: 'doppler',
      grant_types: ['client_credentials'],
      authorities: ['uaa.resource'],
    },
  ],
  organizations: [
    { name: 'local', spaces: [{ name: 'local', apps: [{ name: 'mine', guid: APP }] }] },
    { name: 'else', spaces: [{ name: 'where', apps: [{ name: 'theirs', guid: OTHER }] }] },
  ],
};

/** What each command of the screen prints, by how the screen names it. */
const SHOWN: readonly (readonly [what: RegExp, output: RegExp])[] = [
  [/^the last lines of the shop/, /"batch":\[\{"timestamp":/],
  [/^those of its lines/, /"batch":\[\{"timestamp":/],
  [/^its lines as they come/, /^data: \{"envelopes"/m],
  [/^PromQL: how many lines each app has/, /"app_name":"shop"/],
  [/^which sources there are/, /"doppler":\{"count"/],
  [/^everything, as it happens/, /^log shop /m],
  [/^logs as server-sent events/, /^data: \{"batch":\[\{/m],
  [/^a metric of your own/, /^$/],
  [/^the drain of the shop/, /app_name="shop"/],
  [/^the last lines of clock/, /"batch":\[\{"timestamp":/],
  [/^a request by hand/, /<title>Shop<\/title>/],
];

const whereCurlIs = spawnSync('curl', ['--version']).status === 0 ? test.serial : test.serial.skip;

whereCurlIs('every command on the screen of a secure start works as it is copied', async (t) => {
  const { screen } = await started(t, ['--secure'], randomOffset());
  const commands = [...screen().matchAll(/^ {2}# (.*)\n {2}(.*)$/gm)].map(([, what, line]) => ({
    what: what ?? '',
    line: line ?? '',
  }));
  const settings = commands.filter(
    ({ line }) => /^(CA|TOKEN|DEV_TOKEN)=/.test(line) && !/ node /.test(line),
  );
  const [ca, admin, dev] = settings.map(({ line }) => line);
  t.is(settings.length, 3);

  // All that is printed before, as whoever copies it from the top has it.
  const copied = `${ca}\n${admin}\n${dev}\n`;
  const asAdmin = `${ca}\nTOKEN=${await printed(`${copied}echo "$TOKEN"`)}\n`;
  const tried = commands.filter((command) => !settings.includes(command));
  t.is(tried.length, SHOWN.length - (hasRsyslog() ? 0 : 1));
  await Promise.all(
    tried.map(async ({ what, line }) => {
      const expected = SHOWN.find(([name]) => name.test(what))?.[1];
      if (expected) await shows(t, asAdmin + line, expected);
      else t.fail(`nothing is expected of: ${what}`);
    }),
  );

  const door = /https:\/\/[^/]+(?=\/oauth)/.exec(admin ?? '')?.[0] ?? '';
  const [, tokens = ''] =
    /## Getting a token\n\n```sh\n(.*?)```/s.exec(await readFile(MANUAL, 'utf8')) ?? [];
  const commandsOfManual = tokens.replace(/^(DOOR|CA)=.*\n/gm, '');
  const threeAnswers = /("access_token":.*){2}"batch":\[\{/s;
  await shows(t, `${ca}\nDOOR=${door}\n${commandsOfManual}`, threeAnswers);

  const sources = tried.find(({ what }) => what === 'which sources there are')?.line ?? '';
  const metric = sources.replace('/meta', '/read/demo');
  const shop = tried.find(({ what }) => what.startsWith('the last lines of the shop'))?.line;
  const asDev = `${ca}\nTOKEN=${await printed(`${copied}echo "$DEV_TOKEN"`)}\n`;
  await Promise.all([
    shows(t, asAdmin + metric, /"visits"/),
    shows(t, `${asDev}${shop}`, /"batch":\[\{"timestamp":/),
    shows(t, `${asDev}${metric} -o /dev/null -w '%{http_code}'`, /^404$/),
  ]);
});

test.serial(
  'refusals differ by door, and every token gets what it may have, in any spelling',
  async (t) => {
    const pipeline = await testPipeline(t, { platform: PLATFORM });
    const { front, gateway } = pipeline;
    const ca = await readFile(`${pipeline.pipeline.certificates}/ca.crt`);
    const agent = new IngressCaller(pipeline.server('metron az1', 'metron'));
    t.teardown(() => agent[Symbol.dispose]());
    await agent.send(APP, [1]);
    await agent.send(OTHER, [2]);
    const admin = await tokenOf(front, ca, { client: 'cf', user: 'admin' });
    const dev = await tokenOf(front, ca, { client: 'cf', user: 'dev' });

    const everything = [
      '/firehose/x',
      '/api/v1/read/doppler',
      '/v2/read?log',
      `/apps/${OTHER}/stream`,
    ];
    const ofTheApp = [
      `/apps/${APP}/stream`,
      `/apps/${APP}/recentlogs`,
      `/apps/${APP}/containermetrics`,
      `/api/v1/read/${APP}`,
      `/v2/read?log&source_id=${APP}`,
    ];
    const status = (path: string, authorization: string): Promise<number> =>
      statusOf(front + path, ca, authorization);
    for (const path of [...everything, ...ofTheApp]) {
      const given = /stream$|firehose/.test(path) ? 101 : 200;
      const refused = path.startsWith('/firehose') ? 401 : 404;
      const withoutToken = /^\/(apps|firehose)/.test(path) ? 401 : 404;
      t.is(await status(path, ''), withoutToken, `${path} without a token`);
      t.is(await status(path, 'bearer nonsense'), withoutToken, `${path} with a bad token`);
      for (const spelling of [`bearer ${admin}`, `Bearer ${admin}`, admin]) {
        t.is(await status(path, spelling), given, `${path} for an admin`);
      }
      const forDev = ofTheApp.includes(path) ? given : refused;
      t.is(await status(path, `bearer ${dev}`), forDev, `${path} for one who may see one app`);
    }
    t.is(await status('/api/v1/info', ''), 200, 'what this is may be known to all');

    const direct = { Authorization: `bearer ${dev}` };
    t.is((await ask(`${gateway}/v2/read?log`, { headers: direct })).status, 404);
    using stream = await TextStream.open(`${gateway}/v2/read?log&source_id=${APP}`, {
      headers: direct,
    });
    t.is(stream.status, 200, 'past the front door');
  },
);

test.serial('a Doppler’s own Log Cache judges tokens as the front door does', async (t) => {
  const { front, pipeline, server } = await testPipeline(t, { platform: PLATFORM });
  const ca = await readFile(`${pipeline.certificates}/ca.crt`);
  const agent = new IngressCaller(server('metron az1', 'metron'));
  t.teardown(() => agent[Symbol.dispose]());
  await agent.send(APP, [1]);
  await agent.send(OTHER, [2]);
  const admin = await tokenOf(front, ca, { client: 'cf', user: 'admin' });
  const dev = await tokenOf(front, ca, { client: 'cf', user: 'dev' });
  const own = `https://${pipeline.process('doppler az1/0').address('http')}`;
  const metaOf = async (door: string, token: string): Promise<readonly string[]> => {
    const { body } = await ask(`${door}/api/v1/meta`, { ca, headers: { Authorization: token } });
    return Object.keys(JSON.parse(body).meta ?? {});
  };
  for (const door of [front, own]) {
    t.is(await statusOf(`${door}/api/v1/info`, ca, ''), 200);
    t.is(await statusOf(`${door}/api/v1/read/${APP}`, ca, ''), 404);
    t.is(await statusOf(`${door}/api/v1/read/${APP}`, ca, `bearer ${dev}`), 200);
    t.is(await statusOf(`${door}/api/v1/read/${OTHER}`, ca, dev), 404);
    t.is(await statusOf(`${door}/api/v1/read/${OTHER}`, ca, admin), 200);
    await eventually(async () => (await metaOf(door, dev)).includes(APP));
    t.deepEqual(await metaOf(door, dev), [APP], 'of what there is, what dev may see');
    await eventually(async () => (await metaOf(door, admin)).includes(OTHER));
  }
});

test.serial('a token is worth nothing once it has expired or was revoked', async (t) => {
  const { front, pipeline } = await testPipeline(t, { platform: PLATFORM });
  const ca = await readFile(`${pipeline.certificates}/ca.crt`);
  const doors: readonly (readonly [path: string, refusal: number])[] = [
    ['/firehose/x', 401],
    [`/apps/${APP}/stream`, 401],
    ['/v2/read?log', 404],
  ];

  const revoked = await tokenOf(front, ca, { client: 'cf', user: 'admin' });
  for (const [path] of doors) {
    t.true([101, 200].includes(await statusOf(front + path, ca, `bearer ${revoked}`)), path);
  }
  const { jti } = JSON.parse(Buffer.from(revoked.split('.')[1] ?? '', 'base64url').toString());
  const revocation = await ask(`${front}/oauth/token/revoke/${jti}`, {
    ca,
    method: 'DELETE',
    headers: { Authorization: `bearer ${revoked}` },
  });
  t.is(revocation.status, 200);
  for (const [path, refusal] of doors) {
    t.is(await statusOf(front + path, ca, `bearer ${revoked}`), refusal, `${path}, revoked`);
  }

  const brief = await tokenOf(front, ca, { client: 'brief', user: 'admin' });
  for (const [path, refusal] of [...doors, ['/api/v1/read/doppler', 404] as const]) {
    await eventually(
      async () => (await statusOf(front + path, ca, `bearer ${brief}`)) === refusal,
      { what: `${path} refuses a token that has expired` },
    );
  }
});

test.serial(
  'the certificate of the front door is good for its authority and its name',
  async (t) => {
    const { front, pipeline } = await testPipeline(t, { platform: PLATFORM });
    const ca = await readFile(`${pipeline.certificates}/ca.crt`);
    t.is((await ask(`${front}/api/v1/info`, { ca })).status, 200);
    const untrusting = await t.throwsAsync(ask(`${front}/api/v1/info`));
    t.regex((untrusting as NodeJS.ErrnoException).code ?? '', /SELF_SIGNED|UNABLE_TO/);
    const misled = await t.throwsAsync(
      ask(`${front}/api/v1/info`, { ca, serverName: 'elsewhere' }),
    );
    t.is((misled as NodeJS.ErrnoException).code, 'ERR_TLS_CERT_ALTNAME_INVALID');
    const plain = await ask(`${front.replace('https:', 'http:')}/api/v1/info`);
    t.deepEqual(
      [plain.status, plain.body],
      [400, 'Client sent an HTTP request to an HTTPS server.\n'],
    );
  },
);

/** What a script prints at last. */
async function printed(script: string): Promise<string> {
  const { stdout } = await promisify(execFile)('bash', ['-c', script]);
  return stdout.trim();
}

/** Runs a command, as often as it takes, until it has printed what is expected: visitors need not have come yet. */
async function shows(t: ExecutionContext, script: string, expected: RegExp): Promise<void> {
  let printed = { output: '', errors: '' };
  await eventually(
    async () => {
      printed = await printedBy(script, expected);
      return expected.test(printed.output);
    },
    { timeoutMs: 20_000 },
  ).catch(() => undefined);
  t.regex(printed.output, expected, `${script}\n${printed.errors}`);
}

/** Runs a command as a shell does until it ends or has printed what is expected; then it is ended. */
async function printedBy(
  script: string,
  expected: RegExp,
): Promise<{ output: string; errors: string }> {
  const shell = spawn('bash', ['-c', script], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // So that what the shell starts ends with it.
  });
  let output = '';
  let errors = '';
  shell.stdout.on('data', (chunk) => {
    output += chunk;
  });
  shell.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const closed = once(shell, 'close'); // Its last words may come after its end.
  const ended = (): boolean => shell.exitCode !== null || shell.signalCode !== null;
  await eventually(() => ended() || (output !== '' && expected.test(output)), {
    timeoutMs: 20_000,
  }).catch(() => undefined);
  if (!ended()) process.kill(-(shell.pid ?? 0), 'SIGKILL');
  await closed;
  return { output, errors };
}

async function tokenOf(
  front: string,
  ca: Buffer,
  { client, user }: { readonly client: string; readonly user: string },
): Promise<string> {
  const { body } = await ask(`${front}/oauth/token`, {
    ca,
    headers: { Authorization: `Basic ${Buffer.from(`${client}:`).toString('base64')}` },
    body: `grant_type=password&username=${user}&password=secret`,
  });
  return JSON.parse(body).access_token;
}

/** What a door answers: by a websocket where it has one, else by the beginning of its answer. */
async function statusOf(url: string, ca: Buffer, authorization: string): Promise<number> {
  const headers: Record<string, string> = authorization ? { Authorization: authorization } : {};
  if (/\/firehose\/|\/stream$/.test(url)) {
    const socket = new WebSocket(url.replace('https:', 'wss:'), { ca, headers });
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(101));
      socket.once('unexpected-response', (_request, { statusCode }) => resolve(statusCode ?? 0));
      socket.once('error', reject);
    }).finally(() => socket.terminate()) as Promise<number>;
  }
  using stream = await TextStream.open(url, { ca, headers });
  return stream.status;
}
