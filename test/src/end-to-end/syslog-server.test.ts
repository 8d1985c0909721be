/**
 * What the syslog adapter writes, the syslog server reads:
 *
 *     a test ─▶ metron ─▶ Doppler ─▶ reverse log proxy ─▶ syslog adapter
 *                                                          └─▶ syslog server ─▶ another Doppler's cache
 */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '@standpipe/plumbing/testing';
import { ingressService, type loggregator } from '@standpipe/protos';
import { encodeBatch, longOf, numberedLog } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { IngressCaller } from '../clients/ingress.ts';
import { startLoneDoppler } from '../lone-doppler.ts';
import { ManagedProcess } from '../process.ts';
import { testPipeline } from '../testing.ts';

const APP = '0d1e2f3a-4b5c-4d6e-8f70-8192a3b4c5d6';
const LINES = 200;
/** Syslog's times have microseconds. */
const NOW = (BigInt(Date.now()) * 1_000_000n) / 1_000_000_000n;

test('envelopes that the adapter drains come to a Log Cache as they were', async (t) => {
  const lone = await startLoneDoppler(t);
  const server = syslogServer(t, {
    LOG_CACHE_ADDR: lone.doppler.address('grpc'),
    CA_PATH: join(lone.certificates, 'ca.crt'),
    CERT_PATH: join(lone.certificates, 'executor.crt'),
    KEY_PATH: join(lone.certificates, 'executor.key'),
  });
  await server.start();
  const standpipe = await testPipeline(t, {
    zones: { az1: 1 },
    bindings: [
      {
        url: `syslog://${server.address('syslog')}?drain-type=all`,
        credentials: [{ apps: [{ hostname: 'acme.dev.app', app_id: APP }] }],
      },
    ],
  });
  using caller = new IngressCaller(standpipe.server('metron az1', 'metron'));
  const emit = async (envelopes: readonly loggregator.v2.IEnvelope[]): Promise<void> => {
    await caller.stream(ingressService.batchSender, [encodeBatch(envelopes)]);
  };
  const held = (): Promise<Shown[]> => read(lone.doppler.address('http'));

  // A drain has no past.
  await eventually(async () => {
    await emit([{ ...logAt(0), log: { payload: Buffer.from('ready') } }]);
    return (await held()).length > 0;
  });
  const sent = Array.from({ length: LINES }, (_, n) => logAt(n + 1));
  const tags = { origin: 'rep', quoted: 'a "b" \\ ]c' };
  const at = (n: number): loggregator.v2.IEnvelope => ({ ...logAt(n), log: null, tags });
  await emit([
    ...sent,
    { ...at(LINES + 1), counter: { name: 'requests', delta: 5, total: 10 } },
    { ...at(LINES + 2), gauge: { metrics: { cpu: { unit: 'percentage', value: 0.23 } } } },
  ]);
  const envelopes = await eventually(async () => {
    const all = (await held()).filter(({ log }) => log?.payload !== base64('ready'));
    return all.length === LINES + 2 && all;
  });
  for (const [index, { log, timestamp, instance_id }] of envelopes.slice(0, LINES).entries()) {
    t.deepEqual(
      { log, timestamp, instance_id },
      {
        log: { payload: base64(`line ${index + 1}`), type: 'OUT' },
        timestamp: timeOf(index + 1),
        instance_id: '0',
      },
    );
  }
  const [counter, gauge] = envelopes.slice(LINES);
  t.deepEqual(counter?.counter, { name: 'requests', delta: '5', total: '10' });
  t.deepEqual(gauge?.gauge, { metrics: { cpu: { unit: 'percentage', value: 0.23 } } });
  t.like(counter?.tags, tags);
  t.is(gauge?.timestamp, timeOf(LINES + 2));
});

interface Shown {
  readonly timestamp: string;
  readonly instance_id: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly log?: { readonly payload: string; readonly type: string };
  readonly counter?: object;
  readonly gauge?: object;
}

function syslogServer(t: ExecutionContext, env: Readonly<Record<string, string>>): ManagedProcess {
  const script = fileURLToPath(
    new URL('../../../log-cache/dist/syslog-server/main.js', import.meta.url),
  );
  const server = new ManagedProcess(
    {
      name: 'syslog-server',
      sourceId: 'log-cache-syslog-server',
      command: [script],
      env: { SYSLOG_HOST: '127.0.0.1', SYSLOG_PORT: '0', METRICS_PORT: '0', ...env },
      listeners: ['syslog', 'metrics'],
    },
    () => {},
  );
  t.teardown(() => server.stop());
  return server;
}

/** The log with this number, as many microseconds after the second in which the test began. */
function logAt(n: number): loggregator.v2.IEnvelope {
  const log = numberedLog(APP, n, 0n);
  return { ...log, timestamp: longOf(BigInt(timeOf(n))) };
}

function timeOf(n: number): string {
  return String(NOW * 1_000_000_000n + BigInt(n) * 1000n);
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

async function read(address: string): Promise<Shown[]> {
  const response = await fetch(`http://${address}/api/v1/read/${APP}?limit=1000`);
  const { envelopes } = (await response.json()) as { envelopes: { batch: Shown[] } };
  return envelopes.batch;
}
