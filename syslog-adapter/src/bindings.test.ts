import test from 'ava';
import { type Bindings, BindingsError, parseBindings } from './bindings.ts';

const RULES = { perApp: 5, metadata: true };

test("reads Cloud Controller's answer, with and without `results` around it", (t) => {
  const results = [
    {
      url: 'syslog://logs.example.com:514?drain-type=all',
      credentials: [
        { cert: 'C', key: 'K', ca: 'A', apps: [{ hostname: 'org.space.one', app_id: 'app-1' }] },
        { apps: [{ hostname: 'org.space.two', app_id: 'app-2' }] },
      ],
    },
  ];
  for (const content of [results, { results, next_id: 0 }]) {
    const { drains, refused } = parseBindings(JSON.stringify(content), RULES);
    t.deepEqual(
      drains.map(({ appId, hostname, credentials }) => [appId, hostname, credentials]),
      [
        ['app-1', 'org.space.one', { cert: 'C', key: 'K', ca: 'A' }],
        ['app-2', 'org.space.two', { cert: '', key: '', ca: '' }],
      ],
    );
    t.deepEqual(refused, []);
  }
});

test('reads the short form, beside the long one', (t) => {
  const { drains } = parseBindings(
    `
- url: syslog://127.0.0.1:5514
  app_id: app-1
  hostname: a.b.c
- url: syslog://127.0.0.1:5515
  credentials: [{ apps: [{ app_id: app-2 }] }]
`,
    RULES,
  );
  t.deepEqual(
    drains.map(({ appId, hostname, url }) => [appId, hostname, url.port]),
    [
      ['app-1', 'a.b.c', '5514'],
      ['app-2', '', '5515'],
    ],
  );
});

test('reads an empty list as no drains', (t) => {
  t.deepEqual(parseBindings('[]', RULES).drains, []);
  t.deepEqual(parseBindings('{"results":[]}', RULES).drains, []);
});

test('reads as JSON what is too long to be read as YAML', (t) => {
  const entries = Array.from({ length: 60_000 }, (_, n) => ({
    url: 'syslog://logs.example.com:514',
    app_id: `33333333-3333-3333-3333-${String(n).padStart(12, '0')}`,
    hostname: 'organization.space.application',
    cert: '',
  }));
  const json = JSON.stringify(entries);
  t.true(json.length > 8 * 1024 * 1024);
  t.is(parseBindings(json, RULES).drains.length, 60_000);
  t.throws(() => parseBindings(json.slice(0, -1), RULES), {
    instanceOf: BindingsError,
    message: /^no JSON \(.*\), and for YAML longer than/,
  });
});

test('refuses a URL that is too long for a line of a log', (t) => {
  const url = `syslog://host:514/${'x'.repeat(8192)}`;
  const { drains, refused } = parseBindings(JSON.stringify([{ url, app_id: 'a' }]), RULES);
  t.deepEqual(drains, []);
  t.deepEqual(refused, [
    {
      appId: 'a',
      shownUrl: '(not shown)',
      reason: 'the URL is longer than 8192 characters',
      isInvalid: true,
    },
  ]);
});

const MISTAKES: readonly (readonly [string, RegExp])[] = [
  ['', /must be a list/],
  ['{ not: [a, list', /neither YAML nor JSON/],
  ['drains: []', /must be a list/],
  ['- syslog://host:514', /drain 1 is no mapping/],
  ['- {url: "syslog://host:514"}', /drain 1: app_id must be text/],
  ['- {url: 7, app_id: a}', /drain 1: url must be text/],
  ['- {url: "syslog://host:514", app_id: ""}', /app_id must not be empty/],
  ['- {url: "syslog://host:514", credentials: {}}', /credentials must be a list/],
  ['- {url: "syslog://host:514", credentials: [{apps: [a]}]}', /apps must be a list of mappings/],
  [
    '- {url: "syslog://host:514", credentials: [{cert: 1, apps: [{app_id: a}]}]}',
    /cert must be text/,
  ],
];

for (const [text, mistake] of MISTAKES) {
  test(`refuses the file ${JSON.stringify(text)}`, (t) => {
    const error = t.throws(() => parseBindings(text, RULES), { instanceOf: BindingsError });
    t.regex(error.message, mistake);
  });
}

const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  ['no url', '(not shown)', /no URL/],
  ['syslog-tls://host:6514', 'syslog-tls://host:6514', /syslog-tls:\/\/ are not supported yet/],
  ['https://u:p@host/path?secret=1', 'https://host/path', /https:\/\/ are not supported yet/],
  ['https-batch://host/', 'https-batch://host/', /not supported yet/],
  ['http://host/', 'http://host/', /scheme must be syslog/],
  ['syslog://host', 'syslog://host', /names no port/],
  ['syslog:///path', 'syslog:///path', /names no host/],
];

for (const [url, shownUrl, reason] of REFUSED) {
  test(`refuses the drain ${url} alone, and shows no secrets`, (t) => {
    const good = { url: 'syslog://host:514', app_id: 'app' };
    const { drains, refused } = parseBindings(
      JSON.stringify([{ url, app_id: 'app' }, good]),
      RULES,
    );
    t.is(drains.length, 1);
    t.is(refused.length, 1);
    t.is(refused[0]?.shownUrl, shownUrl);
    t.regex(refused[0]?.reason ?? '', reason);
    t.true(refused[0]?.isInvalid);
  });
}

test('takes the first five good drains of an app in the byte order of their URLs', (t) => {
  const urls = ['g', 'c', 'B', 'a', 'f', 'd', 'e'].map((host) => `syslog://${host}:514`);
  const bad = ['syslog-tls://0:1', 'http://0', 'syslog://0'];
  const { drains, refused } = drainsOf([...bad, ...urls].map((url) => ({ url, app_id: 'app' })));
  t.deepEqual(
    drains.map(({ url }) => url.hostname),
    ['B', 'a', 'c', 'd', 'e'],
  );
  t.deepEqual(
    refused.filter(({ isInvalid }) => !isInvalid).map(({ shownUrl }) => shownUrl),
    ['syslog://f:514', 'syslog://g:514'],
  );
});

test('takes the limit of each app by itself', (t) => {
  const entries = ['one', 'two'].flatMap((app_id) =>
    [1, 2, 3, 4, 5].map((port) => ({ url: `syslog://h:${port}`, app_id })),
  );
  t.is(drainsOf(entries).drains.length, 10);
});

test('takes two bindings that are the same in everything as one drain', (t) => {
  const entry = { url: 'syslog://h:1', app_id: 'app', cert: 'C' };
  t.is(drainsOf([entry, entry]).drains.length, 1);
  t.is(drainsOf([entry, { ...entry, cert: 'D' }]).drains.length, 2);
});

test('gives all drains of an app the host name that was seen last', (t) => {
  const { drains } = drainsOf([
    { url: 'syslog://h:1', app_id: 'app', hostname: 'old' },
    { url: 'syslog://h:2', app_id: 'app', hostname: 'new' },
  ]);
  t.deepEqual(
    drains.map(({ hostname }) => hostname),
    ['new', 'new'],
  );
});

test('shows a URL without user, password and query', (t) => {
  const { drains } = drainsOf([{ url: 'syslog://user:pass@h:1/path?drain-data=all', app_id: 'a' }]);
  t.is(drains[0]?.shownUrl, 'syslog://h:1/path');
});

function drainsOf(entries: readonly object[]): Bindings {
  return parseBindings(JSON.stringify(entries), RULES);
}
