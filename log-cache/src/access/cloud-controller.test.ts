import { Metrics, Outgoing } from '@standpipe/plumbing';
import { eventually, ManualClock, type SpyLog, spyLog } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { CloudController } from './cloud-controller.ts';
import { Permissions } from './permissions.ts';
import { FakePlatform, NOW_MS } from './testing.ts';
import type { Identity } from './tokens.ts';

const DEV: Identity = { token: 'dev-token', digest: 'dev', subject: 'dev', isAdmin: false };
const OTHER: Identity = { token: 'other-token', digest: 'other', subject: 'other', isAdmin: false };
const ADMIN: Identity = { token: 'admin-token', digest: 'admin', subject: 'admin', isAdmin: true };

test('an app is asked for first and a service instance second, with the reader’s token', async (t) => {
  const { platform, permissions } = await running(t);
  platform.serviceInstances = [{ guid: 'db' }];
  t.true(await permissions.mayRead(DEV, 'db'));
  t.deepEqual(platform.taken(), ['GET /v3/apps/db', 'GET /v3/service_instances/db']);
  t.deepEqual(new Set(platform.authorizations), new Set(['bearer dev-token']));
});

test('an administrator may read everything, and nobody is asked', async (t) => {
  const { platform, permissions } = await running(t);
  t.true(await permissions.mayRead(ADMIN, 'doppler'));
  t.is(await permissions.sourcesOf(ADMIN), undefined);
  t.deepEqual(platform.taken(), []);
});

test('a yes is kept for its time and for its token, a no is asked again', async (t) => {
  const { platform, permissions, clock } = await running(t);
  t.false(await permissions.mayRead(DEV, 'shop'));
  platform.apps = [{ guid: 'shop' }];
  t.true(await permissions.mayRead(DEV, 'shop'));
  platform.apps = [];
  await clock.advance(59_999);
  t.true(await permissions.mayRead(DEV, 'shop'));
  t.false(await permissions.mayRead(OTHER, 'shop'));
  await clock.advance(1);
  t.false(await permissions.mayRead(DEV, 'shop'));
});

test('one reader asks sixteen things at a time, by whichever of his tokens, and others are not held up', async (t) => {
  const { platform, permissions, clock, metrics } = await running(t);
  platform.handler = () => undefined;
  const renewed: Identity = { ...DEV, token: 'dev-token-2', digest: 'dev-2' };
  const asked = [DEV, renewed].flatMap((reader) =>
    Array.from({ length: 20 }, (_, n) => permissions.mayRead(reader, `app-${n}`)),
  );
  await eventually(() => platform.asked.length === 16);
  void permissions.mayRead(OTHER, 'shop');
  await eventually(() => platform.asked.length === 17);
  t.is(platform.asked.at(-1), 'GET /v3/apps/shop');
  await clock.advance(20_000);
  const answers = await Promise.all(asked.slice(16, 20));
  t.deepEqual(answers, [false, false, false, false], 'what had no turn is a no');
  const counted = [...metrics.series()].find(({ name }) => name.endsWith('controller_failures'));
  t.true((counted?.value ?? 0) >= 4);
});

test('those who ask the same at once share an answer', async (t) => {
  const { platform, permissions } = await running(t);
  platform.apps = [{ guid: 'shop' }];
  const answers = Array.from({ length: 5 }, () => permissions.mayRead(DEV, 'shop'));
  t.deepEqual(await Promise.all(answers), [true, true, true, true, true]);
  t.deepEqual(platform.taken(), ['GET /v3/apps/shop']);
});

const ids: readonly (readonly [id: string, asked: readonly string[]])[] = [
  ['', []],
  ['.', []],
  ['..', []],
  ['x'.repeat(513), []],
  ['a/../b', ['GET /v3/apps/a%2F..%2Fb', 'GET /v3/service_instances/a%2F..%2Fb']],
  ['?names=x', ['GET /v3/apps/%3Fnames%3Dx', 'GET /v3/service_instances/%3Fnames%3Dx']],
  ['a#b', ['GET /v3/apps/a%23b', 'GET /v3/service_instances/a%23b']],
  ['%2e%2e', ['GET /v3/apps/%252e%252e', 'GET /v3/service_instances/%252e%252e']],
];
for (const [id, asked] of ids) {
  test(`an id can not make another path of it: ${JSON.stringify(id.slice(0, 20))}`, async (t) => {
    const { platform, permissions } = await running(t);
    t.false(await permissions.mayRead(DEV, id));
    t.deepEqual(platform.taken(), asked);
  });
}

test('lists are read to their last page, on the host that is set', async (t) => {
  const { platform, permissions } = await running(t);
  platform.apps = ['a', 'b', 'c', 'd', 'e'].map((guid) => ({ guid }));
  platform.serviceInstances = [{ guid: 'db' }];
  platform.pageSize = 2;
  const sources = await permissions.sourcesOf(DEV);
  t.deepEqual([...(sources ?? [])].toSorted(), ['a', 'b', 'c', 'd', 'db', 'e']);
  t.deepEqual(platform.taken().toSorted(), [
    'GET /v3/apps?page=2&per_page=5000',
    'GET /v3/apps?page=3&per_page=5000',
    'GET /v3/apps?per_page=5000',
    'GET /v3/service_instances?per_page=5000',
  ]);
});

const elsewhere: readonly (readonly [href: string, asked: string])[] = [
  ['https://other.invalid/v3/apps?page=2', '/v3/apps?page=2'],
  ['//other.invalid/v3/apps?page=2', '/v3/apps?page=2'],
  ['https://host//other.invalid/v3/apps?page=2', '//other.invalid/v3/apps?page=2'],
  ['/\\other.invalid/v3/apps?page=2', '/v3/apps?page=2'],
];
for (const [href, asked] of elsewhere) {
  test(`a next page at ${href} is asked for where the token belongs`, async (t) => {
    const { platform, cloudController } = await running(t);
    platform.handler = (request, response) => {
      const isFirst = request.url?.includes('names=') === true;
      response.end(JSON.stringify({ resources: [], pagination: { next: isFirst && { href } } }));
    };
    await cloudController.guidsByName(DEV, ['shop']);
    t.deepEqual(platform.taken(), ['GET /v3/apps?names=shop&per_page=5000', `GET ${asked}`]);
  });
}

test('how long the last list of each kind took is measured in nanoseconds', async (t) => {
  const { permissions, cloudController, metrics } = await running(t);
  await permissions.sourcesOf(DEV);
  await cloudController.guidsByName(DEV, ['shop']);
  const told = [...metrics.series()].filter(({ name }) => name.startsWith('cf_auth_proxy_last'));
  t.deepEqual(
    told.map(({ name, labels, value }) => [name, labels, value > 1000]),
    ['apps', 'list_service_instances', 'apps_by_name'].map((kind) => [
      `cf_auth_proxy_last_capiv3_${kind}_latency`,
      { unit: 'nanoseconds' },
      true,
    ]),
  );
});

test('an app’s name stands for all apps that have it, and no names ask nobody', async (t) => {
  const { platform, cloudController } = await running(t);
  platform.apps = [
    { guid: 'guid-1', name: 'shop' },
    { guid: 'guid-2', name: 'shop' },
    { guid: 'guid-3', name: 'clock' },
  ];
  const guids = await cloudController.guidsByName(DEV, ['shop', 'a&b']);
  t.deepEqual([...guids], [['shop', ['guid-1', 'guid-2']]]);
  t.deepEqual(platform.taken(), ['GET /v3/apps?names=shop,a%26b&per_page=5000']);
  t.deepEqual([...(await cloudController.guidsByName(DEV, []))], []);
  t.deepEqual(platform.taken(), []);
});

const failures: readonly (readonly [what: string, status: number, body: string])[] = [
  ['answers 500', 500, '{}'],
  ['answers no JSON', 200, '<html>'],
  ['answers no list', 200, '{"resources":5}'],
  ['has no last page', 200, '{"resources":[],"pagination":{"next":{"href":"/v3/apps?page=1"}}}'],
];
for (const [what, status, body] of failures) {
  test(`a Cloud Controller that ${what} shows nothing, which is told and counted`, async (t) => {
    const { platform, permissions, cloudController, log, metrics } = await running(t);
    platform.handler = (_request, response) => response.writeHead(status).end(body);
    t.deepEqual(await permissions.sourcesOf(DEV), new Set());
    t.deepEqual([...(await cloudController.guidsByName(DEV, ['shop']))], []);
    t.true(log.lines.length >= 2);
    const counted = [...metrics.series()].find(({ name }) => name.endsWith('controller_failures'));
    t.is(counted?.value, 2);
    platform.handler = undefined;
    platform.apps = [{ guid: 'shop' }];
    t.deepEqual(await permissions.sourcesOf(DEV), new Set(['shop']), 'a failure is not kept');
  });
}

test('a Cloud Controller that breaks off lets nobody in', async (t) => {
  const { platform, permissions, log } = await running(t);
  platform.handler = (request) => request.socket.destroy();
  t.false(await permissions.mayRead(DEV, 'shop'));
  t.deepEqual(await permissions.sourcesOf(DEV), new Set());
  t.true(log.lines.every(({ fields }) => !JSON.stringify(fields).includes('dev-token')));
});

interface Running {
  readonly platform: FakePlatform;
  readonly cloudController: CloudController;
  readonly permissions: Permissions;
  readonly clock: ManualClock;
  readonly log: SpyLog;
  readonly metrics: Metrics;
}

async function running(t: ExecutionContext): Promise<Running> {
  const platform = await FakePlatform.listen(t);
  const api = new Outgoing({ url: platform.origin });
  t.teardown(() => api[Symbol.dispose]());
  const clock = new ManualClock(NOW_MS);
  const log = spyLog();
  const metrics = new Metrics({ origin: 'test' });
  const cloudController = new CloudController({ api, clock, log, metrics });
  const permissions = new Permissions({ cloudController, clock, metrics, keptMs: 60_000 });
  return { platform, cloudController, permissions, clock, log, metrics };
}
