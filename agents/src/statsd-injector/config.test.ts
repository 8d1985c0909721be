import { ConfigError } from '@standpipe/plumbing';
import test from 'ava';
import { readConfig } from './config.ts';

const TLS = ['--ca', 'ca.crt', '--cert=s.crt', '--key', 's.key'];

test('has the defaults of the original', (t) => {
  t.like(readConfig(TLS, {}), {
    host: '127.0.0.1',
    port: 8125,
    agentAddress: '127.0.0.1:3458',
    tls: { ca: 'ca.crt', cert: 's.crt', key: 's.key' },
  });
});

test('binds to the host that it is given', (t) => {
  const args = ['--statsd-host', '::1', '--statsd-port=0', '--metron-port', '3459', ...TLS];
  t.like(readConfig(args, { METRICS_PORT: '9000' }), {
    host: '::1',
    port: 0,
    agentAddress: '127.0.0.1:3459',
    metricsPort: 9000,
  });
});

test('tells all mistakes at once', (t) => {
  const args = ['--statsd-prt', '1', '--metron-port', 'x', '--ca', 'ca.crt', 'word'];
  const error = t.throws(() => readConfig(args, { METRICS_PORT: 'y' }), {
    instanceOf: ConfigError,
  });
  const mistakes = error?.mistakes.join('\n') ?? '';
  for (const mistake of [
    /--statsd-prt is no flag; did you mean --statsd-port\?/,
    /--metron-port is "x"/,
    /--cert must be given/,
    /--key must be given/,
    /"word" is no flag/,
    /METRICS_PORT/,
  ]) {
    t.regex(mistakes, mistake);
  }
});
