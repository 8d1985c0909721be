import { guidOf } from '@standpipe/plumbing';
import test from 'ava';
import { appGuid } from './app.ts';
import { AppsError, parseApps } from './apps-file.ts';

test('needs no more than a name and a command', (t) => {
  t.deepEqual(parseApps('- { name: shop, command: node shop.mjs }', '/srv/apps'), [
    {
      name: 'shop',
      guid: appGuid('shop'),
      command: 'node shop.mjs',
      instances: 1,
      directory: '/srv/apps',
      ownsDirectory: false,
      port: undefined,
      env: {},
      processType: 'web',
      organizationName: 'local',
      organizationId: guidOf('organization/local'),
      spaceName: 'local',
      spaceId: guidOf('space/local/local'),
      memoryQuotaBytes: 268_435_456,
      diskQuotaBytes: 1_073_741_824,
      logRateLimitBytes: undefined,
    },
  ]);
});

test('takes all that an app may say', (t) => {
  const text = `
- name: shop
  guid: 11111111-2222-3333-4444-555555555555
  command: |
    cd web
    exec ./serve
  instances: 3
  directory: shop
  port: 8095
  env: { STATSD_PORT: 8125, DEBUG: false, GREETING: "hä?" , EMPTY: "" }
  process_type: worker
  organization_name: acme
  organization_id: org-1
  space_name: dev
  space_id: 7
  memory_quota: 64M
  disk_quota: 1048576
  log_rate_limit: 0
`;
  const [app] = parseApps(text, '/srv/apps');
  t.deepEqual(app, {
    name: 'shop',
    guid: '11111111-2222-3333-4444-555555555555',
    command: 'cd web\nexec ./serve\n',
    instances: 3,
    directory: '/srv/apps/shop',
    ownsDirectory: true,
    port: 8095,
    env: { STATSD_PORT: '8125', DEBUG: 'false', GREETING: 'hä?', EMPTY: '' },
    processType: 'worker',
    organizationName: 'acme',
    organizationId: 'org-1',
    spaceName: 'dev',
    spaceId: '7',
    memoryQuotaBytes: 67_108_864,
    diskQuotaBytes: 1_048_576,
    logRateLimitBytes: 0,
  });
});

test('a directory is the app’s own unless the file lies in it', (t) => {
  const directories = ['shop', '../shop', '/srv/app', '..', '.', '/'];
  const entries = directories.map((directory, index) => ({
    name: `a${index}`,
    command: 'x',
    directory,
  }));
  const owns = parseApps(JSON.stringify(entries), '/srv/apps').map((app) => app.ownsDirectory);
  t.deepEqual(owns, [true, true, true, false, false, false]);
});

test('is JSON as well', (t) => {
  const [app] = parseApps(JSON.stringify([{ name: 'a', command: 'b' }]), '/');
  t.is(app?.command, 'b');
});

test('may have no apps, when it says so', (t) => {
  t.deepEqual(parseApps('[]', '/'), []);
});

test('tells all mistakes at once', (t) => {
  const text = `
- name: shop
  command: node shop.mjs
  instance: 2
  env: { "A=B": 1, C: [1] }
- command: sh clock.sh
  instances: 1.5
  port: 99999
  memory_quota: much
- shop
- name: shop
  command: " "
`;
  t.deepEqual(mistakesOf(text), [
    'apps[0] (shop): env is "A=B": it must have names of letters, digits and underscores',
    'apps[0] (shop): env.C is [1]: it must be a text, a number or a boolean',
    'apps[0] (shop): instance is no field; did you mean instances?',
    'apps[1]: name must be set',
    'apps[1]: instances is 1.5: it must be a whole number from 0 to 100',
    'apps[1]: port is 99999: it must be a whole number from 1 to 65435',
    'apps[1]: memory_quota is "much": it must be a number of bytes, such as 65536, 64K, 256M or 1G',
    'apps[2]: it must be a map with name and command',
    'apps[3] (shop): command is " ": it must be a line for /bin/sh of at most 100000 characters',
    'apps[3] (shop): it has the name or guid of apps[0]',
  ]);
});

for (const [what, text, mistake] of [
  ['an empty file', '', /must be a list of apps/],
  ['a half-written file', '- name: shop\n  command: "node', /Missing closing "quote at line 2/],
  ['a map', 'name: shop', /must be a list of apps/],
  ['one app without its dash', '{ name: shop, command: x }', /must be a list of apps/],
  ['a name with a line end in it', '- { name: "a\\nb", command: x }', /no control characters/],
  ['a command with a NUL in it', '- { name: a, command: "x\\0y" }', /a line for \/bin\/sh/],
  ['a negative limit', '- { name: a, command: x, log_rate_limit: -1 }', /number of bytes/],
  ['aliases that multiply', bomb(), /list of apps/],
] as const) {
  test(`refuses ${what}`, (t) => {
    const mistakes = mistakesOf(text);
    t.is(mistakes.length, 1);
    t.regex(mistakes[0] ?? '', mistake);
  });
}

test('refuses more apps than the limit, and tells no more than fifty mistakes', (t) => {
  const mistakes = mistakesOf('- 1\n'.repeat(201));
  t.is(mistakes[0], 'it has 201 apps; the limit is 200');
  t.is(mistakes.length, 51);
  t.is(mistakes.at(-1), 'and 151 more');
});

for (const [written, bytes] of [
  ['512', 512],
  ['512B', 512],
  ['64K', 65_536],
  ['64kb', 65_536],
  ['1.5M', 1_572_864],
  ['2GiB', 2_147_483_648],
  ['1T', 1_099_511_627_776],
] as const) {
  test(`reads ${written} as ${bytes} bytes`, (t) => {
    const [app] = parseApps(`- { name: a, command: b, memory_quota: ${written} }`, '/');
    t.is(app?.memoryQuotaBytes, bytes);
  });
}

function mistakesOf(text: string): readonly string[] {
  try {
    parseApps(text, '/srv/apps');
  } catch (error) {
    if (error instanceof AppsError) return error.mistakes;
    throw error;
  }
  return [];
}

function bomb(): string {
  const levels = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
  for (const [one, next] of ['ab', 'bc', 'cd', 'de', 'ef']) {
    levels.push(`${next}: &${next} [${Array.from({ length: 10 }, () => `*${one}`).join(', ')}]`);
  }
  return levels.join('\n');
}
