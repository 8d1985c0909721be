import { dial, readTls } from '@standpipe/plumbing';
import { eventually, spyLog, testTls } from '@standpipe/plumbing/testing';
import test from 'ava';
import { SlowConsumerEvents } from './slow-consumer-event.ts';

test('an event that no agent takes is told in the log', async (t) => {
  const { trafficcontroller } = await testTls('trafficcontroller');
  const log = spyLog();
  const agent = dial({
    address: '127.0.0.1:1', // Nobody listens there.
    tls: readTls(trafficcontroller),
    serverName: 'metron',
  });
  using events = new SlowConsumerEvents({ agent, log });
  events.send({ door: 'firehose', path: '/', remoteAddress: '', forwardedFor: '' });
  await eventually(() => log.lines.some(({ text }) => text === 'the agent did not take an event'));
  t.pass();
});
