import { readFile } from 'node:fs/promises';
import { guidOf } from '@standpipe/plumbing';
import test from 'ava';
import { DEFAULT_FILE } from './config.ts';
import { viewOf } from './model.ts';
import { ModelError, parseModel } from './model-file.ts';

test('the example has a user who may read everything, and one who may read one space', async (t) => {
  const model = parseModel(await readFile(DEFAULT_FILE, 'utf8'));
  const [admin, dev] = model.users;
  t.true(admin?.scopes.includes('cloud_controller.admin'));
  t.true(admin?.scopes.includes('doppler.firehose'));
  t.deepEqual(
    viewOf(model, dev?.spaces ?? []).apps.map(({ name }) => name),
    ['shop', 'clock'],
  );
  t.deepEqual(
    model.clients.map(({ id, secret }) => [id, secret]),
    [
      ['cf', ''],
      ['doppler', 'doppler'],
      ['nozzle', 'nozzle'],
      ['log-cache', 'log-cache'],
    ],
  );
});

test('gives an app without a GUID the one that the executor gives it', (t) => {
  const { apps, spaces, organizations } = parseModel(
    'organizations: [{ name: o, spaces: [{ name: s, apps: [{ name: shop }] }] }]',
  );
  t.is(apps[0]?.guid, guidOf('app/shop'));
  t.is(spaces[0]?.guid, guidOf('space/o/s'));
  t.is(organizations[0]?.guid, guidOf('organization/o'));
});

test('takes a file with nothing in it', (t) => {
  for (const text of ['', '{}', '# nothing', 'users: []']) t.deepEqual(parseModel(text).users, []);
});

test('tells every mistake with its place in the file', (t) => {
  const text = `
users:
  - { name: a }
clients:
  - { id: c, secret: s, grant_types: [authorization_code] }
  - { id: d, secret: s, grant_types: [], access_token_validity: 0, scope: [x] }
organizations:
  - name: o
    spaces:
      - name: s
        apps:
          - { name: x/y, state: RUNNING, drains: [{ url: nowhere }] }
`;
  t.deepEqual(
    mistakesIn(text).map((mistake) => mistake.replace(/:.*/s, '')),
    [
      'users[0].password',
      'clients[0].grant_types[0]',
      'clients[1].access_token_validity',
      'clients[1]',
      'organizations[0].spaces[0].apps[0].name',
      'organizations[0].spaces[0].apps[0].state',
      'organizations[0].spaces[0].apps[0].drains[0].url',
    ],
  );
});

test('refuses what cannot be told apart, and spaces that are not there', (t) => {
  const text = `
users:
  - { name: a, password: a, spaces: [o/s, o/t] }
  - { name: a, password: b }
clients:
  - { id: c, secret: c, grant_types: [], spaces: [nowhere] }
organizations:
  - name: o
    spaces:
      - { name: s, apps: [{ name: x }, { name: x, guid: other }] }
      - { name: u, apps: [{ name: x }] }
`;
  const mistakes = mistakesIn(text);
  t.is(mistakes.length, 6, mistakes.join('\n'));
  t.regex(mistakes[0] ?? '', /^users\[0\]\.spaces\[1\]: there is no space o\/t/);
  t.regex(mistakes[1] ?? '', /^clients\[0\]\.spaces\[0\]: there is no space nowhere/);
  t.is(mistakes[2], 'there are several users named a');
  t.is(mistakes[3], 'there are several apps named o/s/x');
  const twice = [guidOf('app/x'), guidOf('user/a')].map(
    (guid) => `there are several things with the GUID ${guid}; give one of them another guid`,
  );
  t.deepEqual(mistakes.slice(4), twice);
});

test('refuses what is no YAML, or more than was written', (t) => {
  t.regex(mistakesIn('users: [').join(), /line 1/);
  t.regex(mistakesIn('- 1').join(), /expected object/);
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]
b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]
c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]
users: [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]`;
  t.regex(mistakesIn(bomb).join(), /alias/i);
});

function mistakesIn(text: string): readonly string[] {
  try {
    parseModel(text);
  } catch (error) {
    if (error instanceof ModelError) return error.mistakes;
    throw error;
  }
  return [];
}
