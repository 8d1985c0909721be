import test from 'ava';
import { protocolOptions, suitesSetting } from './cipher-suites.ts';
import { Env } from './env.ts';

const AES_128 = 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256';
const AES_256 = 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384';

for (const separator of [',', ' , ', ':']) {
  test(`reads names between '${separator}'`, (t) => {
    const env = new Env({ SUITES: `${AES_128}${separator}${AES_256}` });
    t.deepEqual(suitesSetting(env, 'SUITES'), { allowed: [AES_128, AES_256], unknown: [] });
  });
}

test('passes over unknown names, if one is known', (t) => {
  const env = new Env({ SUITES: `TLS_AES_128_GCM_SHA256,${AES_256},x` });
  const unknown = ['TLS_AES_128_GCM_SHA256', 'x'];
  t.deepEqual(suitesSetting(env, 'SUITES'), { allowed: [AES_256], unknown });
  t.notThrows(() => env.done());
});

test('stops the start when no name is known', (t) => {
  const env = new Env({ SUITES: 'TLS_RSA_WITH_AES_128_GCM_SHA256' });
  suitesSetting(env, 'SUITES');
  t.throws(() => env.done(), {
    message: `bad settings: SUITES must name one of ${AES_256}, ${AES_128}`,
  });
});

test('is both suites when it is not set, or empty', (t) => {
  t.is(suitesSetting(new Env({}), 'SUITES'), undefined);
  t.is(suitesSetting(new Env({ SUITES: '' }), 'SUITES'), undefined);
  const { ciphers } = protocolOptions();
  t.true(ciphers.endsWith(':ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256'));
});
