import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { Metrics, Outgoing } from '@standpipe/plumbing';
import { eventually, ManualClock, type SpyLog, spyLog } from '@standpipe/plumbing/testing';
import { randomFrom } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { accessEvictions, tokenKeyFailures } from './access-metrics.ts';
import { FakePlatform, NOW_MS, OTHER_RSA, PEM, pemOf, type TokenInit, tokenOf } from './testing.ts';
import { TokenKeys } from './token-keys.ts';
import { Tokens } from './tokens.ts';

const SECRET = Buffer.from('tokenkey');

const rows: readonly (readonly [what: string, init: TokenInit, good: boolean])[] = [
  ['signed with RS256', {}, true],
  ['signed with HS256', { algorithm: 'HS256', kid: 'legacy', key: SECRET }, true],
  ['signed with HS512', { algorithm: 'HS512', kid: 'legacy', key: SECRET }, false],
  ['signed with RS512', { algorithm: 'RS512' }, false],
  ['signed with PS256', { algorithm: 'PS256' }, false],
  [
    'signed with HS256 and the public key as its secret',
    { algorithm: 'HS256', key: Buffer.from(PEM) },
    false,
  ],
  ['signed with RS256 under the id of a secret', { kid: 'legacy' }, false],
  ['signed by somebody else', { key: OTHER_RSA.privateKey }, false],
  ['of an unknown key', { kid: 'key-9' }, false],
  ['without the id of a key', { kid: undefined }, false],
  ['with an empty id of a key', { kid: '' }, false],
  ['that has expired', { expiresInS: -1 }, false],
  ['that never expires', { expiresInS: undefined }, false],
  ['whose expiry is a text', { expiresInS: undefined, claims: { exp: 'tomorrow' } }, false],
  [
    'that is not to be used yet, from and for others',
    { claims: { nbf: NOW_MS, iss: 'x', aud: 'y' } },
    true,
  ],
];
for (const [what, init, good] of rows) {
  test(`a token ${what} is ${good ? 'good' : 'good for nothing'}`, async (t) => {
    const { tokens } = await running(t);
    const identity = await tokens.identify(await tokenOf(init));
    t.is(identity !== undefined, good);
  });
}

const malformed: readonly string[] = [
  '',
  'x',
  'a.b.c',
  '..',
  '....',
  `${base64({ alg: 'none', kid: 'key-1' })}.${base64({ exp: 9e9, scope: ['logs.admin'] })}.`,
  `${base64({ alg: 'none' })}.${base64({ exp: 9e9 })}.`,
  `${base64({ alg: 5, kid: 'key-1' })}.${base64({ exp: 9e9 })}.AAAA`,
  `${base64({ alg: 'RS256', kid: 7 })}.${base64({ exp: 9e9 })}.AAAA`,
  `${base64({ alg: 'RS256', kid: 'key-1' })}.${base64({ exp: 9e9 })}.`,
  `${base64({ alg: 'RS256', kid: 'key-1', crit: ['x'], x: 1 })}.${base64({ exp: 9e9 })}.AAAA`,
  `${base64(['RS256'])}.${base64({ exp: 9e9 })}.AAAA`,
  `${base64(null)}.${base64(null)}.AAAA`,
  'x'.repeat(20_000),
];
test('what is no token is good for nothing, and UAA is not asked about it', async (t) => {
  const { tokens, platform } = await running(t);
  platform.taken();
  for (const token of malformed) t.is(await tokens.identify(token), undefined, token.slice(0, 80));
  t.deepEqual(platform.taken(), []);
});

// Whatever comes for a token, nobody is let in by more than was signed, and nothing throws.
for (const seed of [1, 2, 3]) {
  test(`a mangled token gives no rights, seed ${seed}`, async (t) => {
    const { tokens } = await running(t);
    const random = randomFrom(seed);
    const good = await tokenOf({ scopes: ['openid'] });
    const heads = [
      { alg: 'none', kid: 'key-1' },
      { alg: 'HS256', kid: 'key-1' },
      { alg: 'RS256', kid: '__proto__' },
      { alg: 'RS256', kid: 'key-1', b64: false, crit: ['b64'] },
      { alg: 'RS256', kid: 'key-1', zip: 'DEF', jwk: {}, jku: 'http://127.0.0.1:1' },
    ].map(base64);
    const admin = base64({ exp: 9e9, scope: ['logs.admin'] });
    let refused = 0;
    for (let n = 0; n < 300; n += 1) {
      const parts = good.split('.');
      if (random(3) === 0) parts[0] = heads[random(heads.length)] ?? '';
      if (random(3) === 0) parts[1] = admin;
      if (random(3) === 0)
        parts.splice(random(4), random(2), Buffer.alloc(random(9), n).toString('latin1'));
      const token = parts.join('.').split('');
      for (let change = random(4); change > 0; change -= 1) {
        token[random(token.length)] = String.fromCharCode(random(256));
      }
      const identity = await tokens.identify(token.join(''));
      t.not(identity?.isAdmin, true, token.join(''));
      if (identity === undefined) refused += 1;
    }
    t.true(refused > 200 && refused < 300);
    t.truthy(await tokens.identify(good));
  });
}

const scopes: readonly (readonly [scopes: readonly string[], isAdmin: boolean])[] = [
  [['doppler.firehose'], true],
  [['openid', 'logs.admin'], true],
  [['cloud_controller.admin', 'doppler.firehoses', 'logs'], false],
  [[], false],
];
for (const [list, isAdmin] of scopes) {
  test(`whoever has the scopes [${list}] may ${isAdmin ? '' : 'not '}read every source`, async (t) => {
    const { tokens } = await running(t);
    t.is((await tokens.identify(await tokenOf({ scopes: list })))?.isAdmin, isAdmin);
  });
}

test('whoever a token speaks for is the same with each of his tokens', async (t) => {
  const { tokens } = await running(t);
  const subject = async (sub: unknown, expiresInS = 600): Promise<string | undefined> =>
    (await tokens.identify(await tokenOf({ expiresInS, claims: { sub } })))?.subject;
  t.is(await subject('user-1'), 'user-1');
  t.is(await subject('user-1', 700), 'user-1');
  for (const odd of [undefined, 7, '', 'x'.repeat(300)]) {
    t.not(await subject(odd), await subject(odd, 700), 'then each token is somebody else');
  }
});

test('a scope that is a text is none', async (t) => {
  const { tokens } = await running(t);
  const identity = await tokens.identify(await tokenOf({ claims: { scope: 'logs.admin' } }));
  t.is(identity?.isAdmin, false);
});

test('a token that was good is good until it expires, and no longer', async (t) => {
  const { tokens, clock } = await running(t);
  const token = await tokenOf({ expiresInS: 60 });
  t.truthy(await tokens.identify(token));
  await clock.advance(59_000);
  t.truthy(await tokens.identify(token));
  await clock.advance(1000);
  t.is(await tokens.identify(token), undefined);
});

test('UAA is asked once, not for each token', async (t) => {
  const { tokens, platform } = await running(t);
  for (let index = 0; index < 5; index += 1) {
    t.truthy(await tokens.identify(await tokenOf({ claims: { index } })));
  }
  t.deepEqual(platform.taken(), ['GET /token_keys']);
});

test('an unknown key is asked for at once, but UAA not twice within five seconds', async (t) => {
  const { tokens, platform, clock } = await running(t);
  await clock.advance(5000);
  platform.keys = {
    keys: [
      { kid: 'key-1', alg: 'RS256', value: PEM },
      { kid: 'key-2', alg: 'RS256', value: pemOf(OTHER_RSA.publicKey) },
    ],
  };
  platform.taken();
  const second = { kid: 'key-2', key: OTHER_RSA.privateKey };
  const token = await tokenOf(second);
  const identities = await Promise.all([tokens.identify(token), tokens.identify(token)]);
  t.true(identities.every((identity) => identity !== undefined));
  t.is(await tokens.identify(await tokenOf({ kid: 'key-3' })), undefined);
  t.is(platform.taken().length, 1);
  await clock.advance(5000);
  t.is(await tokens.identify(await tokenOf({ kid: 'key-3' })), undefined);
  t.is(platform.taken().length, 1);
});

test('a key that was rolled under its id is found out, and the next request is let in', async (t) => {
  const { tokens, platform, clock } = await running(t);
  const old = await tokenOf();
  t.truthy(await tokens.identify(old));
  await clock.advance(5000);
  platform.keys = { keys: [{ kid: 'key-1', alg: 'RS256', value: pemOf(OTHER_RSA.publicKey) }] };
  const token = await tokenOf({ key: OTHER_RSA.privateKey });
  t.is(await tokens.identify(token), undefined);
  await eventually(() => tokens.identify(token));
  t.is(await tokens.identify(old), undefined, 'though it was remembered');
});

test('a key that UAA lists no more is good for nothing', async (t) => {
  const { tokens, platform, clock } = await running(t);
  const old = await tokenOf();
  t.truthy(await tokens.identify(old));
  await clock.advance(5000);
  platform.keys = { keys: [{ kid: 'key-2', alg: 'RS256', value: pemOf(OTHER_RSA.publicKey) }] };
  t.truthy(await tokens.identify(await tokenOf({ kid: 'key-2', key: OTHER_RSA.privateKey })));
  t.is(await tokens.identify(old), undefined);
});

test('a key that UAA lists no more is found out within minutes, though no token names another', async (t) => {
  const { tokens, platform, clock, failures } = await running(t);
  const old = await tokenOf({ expiresInS: 3600 });
  t.truthy(await tokens.identify(old));
  platform.handler = (_request, response) => response.writeHead(500).end();
  await eventually(() => clock.sleeping === 1);
  await clock.advance(300_000);
  await eventually(() => failures() === 1 && clock.sleeping === 1);
  t.truthy(await tokens.identify(old), 'while UAA is away the keys stay');
  platform.handler = undefined;
  platform.keys = { keys: [] };
  await clock.advance(299_999);
  t.truthy(await tokens.identify(old));
  await clock.advance(1);
  await eventually(async () => (await tokens.identify(old)) === undefined);
});

const { publicKey: elliptic } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const lists: readonly (readonly [what: string, keys: unknown])[] = [
  ['no list', 'x'],
  ['a list of something else', { keys: ['x'] }],
  ['a key without a value', { keys: [{ kid: 'key-1', alg: 'RS256', value: '' }] }],
  ['a key without an id', { keys: [{ alg: 'RS256', value: PEM }] }],
  ['a key that is no PEM', { keys: [{ kid: 'key-1', alg: 'RS256', value: 'x' }] }],
  ['an elliptic key', { keys: [{ kid: 'key-1', alg: 'ES256', value: pemOf(elliptic) }] }],
];
for (const [what, keys] of lists) {
  test(`when UAA answers with ${what}, the keys before it stay, and it is counted`, async (t) => {
    const { tokens, platform, clock, failures } = await running(t);
    const old = await tokenOf();
    await clock.advance(5000);
    platform.keys = keys;
    t.is(await tokens.identify(await tokenOf({ kid: 'key-9' })), undefined);
    t.truthy(await tokens.identify(old));
    t.is(failures(), 1);
  });
}

test('a key too short is left out, and the others of its list are taken', async (t) => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const { tokens, platform, clock } = await running(t);
  await clock.advance(5000);
  platform.keys = {
    keys: [
      { kid: 'short', alg: 'RS256', value: pemOf(publicKey) },
      { kid: 'key-2', value: pemOf(OTHER_RSA.publicKey) },
    ],
  };
  t.truthy(await tokens.identify(await tokenOf({ kid: 'key-2', key: OTHER_RSA.privateKey })));
  const signed = createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  t.is(signed.asymmetricKeyDetails?.modulusLength, 1024);
  const [head, rest] = [{ alg: 'RS256', kid: 'short' }, { exp: 9e9 }].map(base64);
  t.is(await tokens.identify(`${head}.${rest}.AAAA`), undefined);
});

test('until UAA has answered it is asked ever more seldom, however many tokens come', async (t) => {
  const platform = await FakePlatform.listen(t);
  platform.handler = (_request, response) => response.writeHead(503).end();
  const { tokens, clock, failures } = access(t, platform);
  const token = await tokenOf();
  const pauses: number[] = [];
  for (let tries = 1; tries <= 7; tries += 1) {
    await eventually(() => failures() === tries && clock.sleeping === 1);
    for (let n = 0; n < 10; n += 1) t.is(await tokens.identify(token), undefined);
    const began = clock.now();
    while (failures() === tries && clock.sleeping === 1) await clock.advance(50);
    pauses.push(clock.now() - began);
  }
  for (const [index, mostMs] of [500, 1000, 2000, 4000, 5000, 5000, 5000].entries()) {
    const pause = pauses[index] ?? 0;
    t.true(pause <= mostMs && pause >= 0.8 * mostMs - 50, `${index}: ${pause}`);
  }
  await eventually(() => failures() === 8 && clock.sleeping === 1);
  t.is(platform.taken().length, 8);
  platform.handler = undefined;
  await clock.advance(5000);
  await eventually(() => tokens.identify(token));
  await eventually(() => clock.sleeping === 1); // Until the next look at the keys.
});

test('a token waits for UAA’s first answer, but not for ever', async (t) => {
  const platform = await FakePlatform.listen(t);
  const held: ServerResponse[] = [];
  platform.handler = (_request, response) => held.push(response);
  const { tokens, clock } = access(t, platform);
  const token = await tokenOf();
  await eventually(() => held.length === 1);
  const impatient = tokens.canJudge();
  await clock.advance(5000);
  t.false(await impatient);
  const waiting = Promise.all([tokens.canJudge(), tokens.canJudge()]);
  held[0]?.end(JSON.stringify(platform.keys));
  t.deepEqual(await waiting, [true, true]);
  t.truthy(await tokens.identify(token));
  await eventually(() => clock.sleeping === 1); // Until the next look at the keys.
});

test('UAA is told who asks, if that is set', async (t) => {
  const platform = await FakePlatform.listen(t);
  const { tokens } = access(t, platform, { client: 'c', secret: 's' });
  await tokens.identify(await tokenOf());
  t.is(platform.authorizations[0], `Basic ${Buffer.from('c:s').toString('base64')}`);
  const nobody = access(t, platform, { client: 'c', secret: '' });
  await nobody.tokens.identify(await tokenOf());
  t.is(platform.authorizations[1], undefined);
});

function base64(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

interface Running {
  readonly platform: FakePlatform;
  readonly tokens: Tokens;
  readonly clock: ManualClock;
  readonly log: SpyLog;
  readonly failures: () => number;
}

/** Over a UAA that has a secret besides, and has been asked. */
async function running(t: ExecutionContext): Promise<Running> {
  const platform = await FakePlatform.listen(t);
  const legacy = { kid: 'legacy', alg: 'HS256', value: SECRET.toString() };
  platform.keys = { keys: [{ kid: 'key-1', alg: 'RS256', value: PEM }, legacy] };
  const made = access(t, platform);
  await eventually(() => made.tokens.identify(LASTING));
  return made;
}

const LASTING = await tokenOf({ expiresInS: 1e6 });

function access(
  t: ExecutionContext,
  platform: FakePlatform,
  { client = '', secret = '' } = {},
): Running {
  const uaa = new Outgoing({ url: platform.origin });
  const clock = new ManualClock(NOW_MS);
  const log = spyLog();
  const metrics = new Metrics({ origin: 'test' });
  const failures = tokenKeyFailures(metrics);
  const keys = new TokenKeys({ uaa, client, secret, clock, log, failures });
  t.teardown(async () => {
    await keys[Symbol.asyncDispose]();
    uaa[Symbol.dispose]();
  });
  const tokens = new Tokens({ keys, clock, evictions: accessEvictions(metrics, 'tokens') });
  return { platform, tokens, clock, log, failures: () => failures.value };
}
