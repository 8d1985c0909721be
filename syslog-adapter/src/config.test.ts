import { ConfigError } from '@standpipe/plumbing';
import test from 'ava';
import { readConfig } from './config.ts';

const REQUIRED = {
  RLP_ADDRESS: '127.0.0.1:8084',
  ADAPTER_CA_FILE: 'ca',
  ADAPTER_CERT_FILE: 'cert',
  ADAPTER_KEY_FILE: 'key',
  BINDINGS_FILE: 'bindings.yml',
};

test('defaults are those of the original', (t) => {
  const config = readConfig(REQUIRED);
  t.is(config.bindingsPerApp, 5);
  t.is(config.idleMs, 600_000);
  t.is(config.bufferSize, 10_000);
  t.true(config.metadata);
  t.is(config.agentAddress, '');
});

test('all that is missing is told at once', (t) => {
  const error = t.throws(() => readConfig({}), { instanceOf: ConfigError });
  t.is(error.mistakes.length, 5);
});
