/** What the agent sends to Dopplers, against bytes written by the field numbers of loggregator-api. */

import { dial, readTls } from '@standpipe/plumbing';
import { eventually, spyLog, testTls } from '@standpipe/plumbing/testing';
import { ingressService } from '@standpipe/protos';
import { contents, double, field, fieldsInOrder, number } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { FakeIngress } from '../ingress-client-fake.ts';
import { readConfig } from './config.ts';
import { startMetron } from './metron.ts';

const TIME = number(1, 1_700_000_000_123_456_789n);
const SOURCE = field(2, 'app');
const INSTANCE = field(8, '0');
const LOG = field(4, field(1, 'hello'), number(2, 1));
const tag = (key: string, value: string): Buffer => field(9, field(1, key), field(2, value));
const DEFAULT_TAG = tag('deployment', 'cf');

test('a Doppler is sent a log as it came, and a default tag, by BatchSender', async (t) => {
  const sent = await passed(t, TIME, SOURCE, INSTANCE, tag('own', 'x'), LOG);
  t.deepEqual(sent, sorted(TIME, SOURCE, INSTANCE, tag('own', 'x'), DEFAULT_TAG, LOG));
});

test('a Doppler is sent unknown fields as they came', async (t) => {
  const unknown = field(99, 'of a later version');
  const sent = await passed(t, TIME, SOURCE, LOG, unknown);
  t.deepEqual(sent, sorted(TIME, SOURCE, LOG, unknown, DEFAULT_TAG));
});

test('a Doppler is sent deprecated tags twice: as they came, and as tags', async (t) => {
  const deprecated = field(3, field(1, 'n'), field(2, double(3, 1_000_000)));
  const sent = await passed(t, TIME, SOURCE, deprecated, LOG);
  t.deepEqual(sent, sorted(TIME, SOURCE, deprecated, LOG, tag('n', '1000000'), DEFAULT_TAG));
});

test('a Doppler is sent the total of a counter besides its delta', async (t) => {
  const sent = await passed(t, TIME, SOURCE, field(5, field(1, 'requests'), number(2, 300)));
  const counter = field(5, field(1, 'requests'), number(2, 300), number(3, 300));
  t.deepEqual(sent, sorted(TIME, SOURCE, counter, DEFAULT_TAG));
});

/** The fields of the envelope that the Doppler gets for this one. */
async function passed(
  t: ExecutionContext,
  ...envelope: readonly Buffer[]
): Promise<readonly string[]> {
  const files = await testTls('metron', 'doppler');
  const doppler = await FakeIngress.start(files.doppler);
  t.teardown(() => doppler[Symbol.asyncDispose]());
  const config = readConfig({
    AGENT_PORT: '0',
    AGENT_CA_FILE: files.metron.ca,
    AGENT_CERT_FILE: files.metron.cert,
    AGENT_KEY_FILE: files.metron.key,
    AGENT_TAGS: 'deployment:cf',
    DOPPLER_SHARDS: `az1=${doppler.address}`,
  });
  const metron = await startMetron(config, spyLog());
  t.teardown(() => metron[Symbol.asyncDispose]());

  const tls = readTls(files.metron);
  const client = dial({ address: metron.address, tls, serverName: 'metron' });
  t.teardown(() => client.close());
  const { path, requestSerialize, responseDeserialize } = ingressService.send;
  const batch = field(1, ...envelope);
  client.makeUnaryRequest(path, requestSerialize, responseDeserialize, batch, () => undefined);

  const message = await eventually(() => doppler.messages.find((bytes) => bytes.includes('app')));
  const [sent, another] = contents(message, 1);
  t.is(another, undefined, 'a batch of one');
  return fieldsInOrder(sent ?? Buffer.alloc(0));
}

function sorted(...fields: readonly Buffer[]): readonly string[] {
  return fieldsInOrder(Buffer.concat(fields));
}
