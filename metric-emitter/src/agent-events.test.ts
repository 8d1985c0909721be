import { Metrics, readTls } from '@standpipe/plumbing';
import { eventually, spyLog, testTls } from '@standpipe/plumbing/testing';
import test from 'ava';
import { AgentEvents } from './agent-events.ts';
import { startAgent, tagsOf } from './testing.ts';

const EVENT = { title: 'It happened', body: 'Twice.' };

test('an event arrives on a stream of its own, with no tags at all', async (t) => {
  const { metron, trafficcontroller } = await testTls('metron', 'trafficcontroller');
  await using agent = await startAgent({ tls: metron });
  const metrics = new Metrics({ origin: 'traffic_controller' });
  using events = new AgentEvents({
    agent: { address: agent.address, tls: readTls(trafficcontroller) },
    sourceId: 'traffic_controller',
    metrics,
    log: spyLog(),
  });
  events.send(EVENT);
  events.send(EVENT);
  await eventually(() => agent.envelopes.length === 2);
  t.is(agent.streams, 2);
  const [envelope] = agent.envelopes;
  if (!envelope) return t.fail();
  t.is(envelope.source_id, 'traffic_controller');
  t.is(envelope.event?.title, EVENT.title);
  t.is(envelope.event?.body, EVENT.body);
  t.deepEqual([envelope.tags, tagsOf(envelope)], [{}, {}]);
});

test('an agent that never answers has the event all the same', async (t) => {
  const { metron, trafficcontroller } = await testTls('metron', 'trafficcontroller');
  await using agent = await startAgent({ tls: metron, answers: false });
  const metrics = new Metrics({ origin: 'traffic_controller' });
  const log = spyLog();
  using events = new AgentEvents({
    agent: { address: agent.address, tls: readTls(trafficcontroller) },
    sourceId: 'traffic_controller',
    metrics,
    log,
  });
  events.send(EVENT);
  await eventually(() => agent.envelopes.length === 1);
  await agent[Symbol.asyncDispose](); // Its streams end before, by our limit.
  t.deepEqual(log.lines, []);
  t.is(dropped(metrics), 0);
});

test('events that no agent takes, and those too many at a time, are counted', async (t) => {
  const { trafficcontroller } = await testTls('trafficcontroller');
  const metrics = new Metrics({ origin: 'traffic_controller' });
  const log = spyLog();
  using events = new AgentEvents({
    agent: { address: '127.0.0.1:1', tls: readTls(trafficcontroller) }, // Nobody listens there.
    sourceId: 'traffic_controller',
    metrics,
    log,
  });
  for (let n = 0; n < 110; n += 1) events.send(EVENT);
  t.is(dropped(metrics), 10);
  await eventually(() => dropped(metrics) === 110);
  t.true(log.lines.every(({ text }) => text === 'the agent did not take an event'));
});

test('without an agent nothing is sent, and nothing lost', (t) => {
  const metrics = new Metrics({ origin: 'traffic_controller' });
  const agent = { address: '', tls: undefined };
  using events = new AgentEvents({ agent, sourceId: 'x', metrics, log: spyLog() });
  events.send(EVENT);
  t.is(dropped(metrics), 0);
});

function dropped(metrics: Metrics): number {
  return [...metrics.series()].find(({ name }) => name === 'events_dropped')?.value ?? -1;
}
