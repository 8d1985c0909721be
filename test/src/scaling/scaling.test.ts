import { ownerOf } from '@standpipe/protos';
import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import {
  busiestShare,
  type Costs,
  type Deployment,
  firstToSaturate,
  hopLoads,
  messagesPerEnvelope,
  processesFor,
} from './scaling.ts';
import { type HopOutcome, simulate } from './simulation.ts';

const COSTS: Costs = {
  agentEnvelope: 2,
  agentMessage: 10,
  dopplerEnvelope: 3,
  dopplerMessage: 20,
  v1Envelope: 0.7,
  firehoseEnvelope: 0.3,
  controllerEnvelope: 1.5,
};

const DEPLOYMENT: Deployment = {
  agents: 40,
  zones: 2,
  dopplers: 20,
  controllers: 4,
  firehoses: 2,
  envelopesPerSecond: 100_000,
  sources: 2000,
  perMessage: 20,
};

function played(deployment: Deployment, seed = 1): HopOutcome[] {
  return simulate({ costs: COSTS, deployment, seconds: 2, random: randomFrom(seed) });
}

for (const [name, change] of [
  ['a middling deployment', {}],
  ['programs that send one envelope at a time', { perMessage: 1 }],
  ['large messages over few Dopplers', { perMessage: 100, dopplers: 4 }],
  ['one zone and five firehoses', { zones: 1, firehoses: 5, controllers: 10 }],
] as const) {
  test(`what is computed comes out of the simulation: ${name}`, (t) => {
    const deployment = { ...DEPLOYMENT, ...change };
    const outcomes = played(deployment);
    for (const { hop, coreShare } of hopLoads(COSTS, deployment)) {
      const simulated = outcomes.find((outcome) => outcome.hop === hop)?.coreShare ?? Number.NaN;
      const difference = Math.abs(simulated / coreShare - 1);
      t.true(difference < 0.12, `${hop}: computed ${coreShare}, simulated ${simulated}`);
    }
  });
}

for (const [hop, setting] of [
  ['agent', 'agents'],
  ['doppler', 'dopplers'],
  ['traffic controller', 'controllers'],
] as const) {
  test(`as many processes as are needed are enough, and fewer are not: ${hop}`, (t) => {
    const count = processesFor(COSTS, DEPLOYMENT, hop, 0.05);
    const shareOf = (processes: number): number => {
      const loads = hopLoads(COSTS, { ...DEPLOYMENT, [setting]: processes });
      return loads.find((one) => one.hop === hop)?.coreShare ?? Number.NaN;
    };
    t.true(shareOf(count) <= 0.05);
    t.true(shareOf(count - (hop === 'doppler' ? DEPLOYMENT.zones : 1)) > 0.05);
  });
}

for (const [name, change] of [
  ['agent', { agents: 4 }],
  ['doppler', { dopplers: 4, agents: 100, controllers: 40 }],
  ['traffic controller', { controllers: 1 }],
] as const) {
  test(`the hop that is said to saturate first does, and not before: ${name}`, (t) => {
    const deployment = { ...DEPLOYMENT, ...change };
    const first = firstToSaturate(hopLoads(COSTS, deployment));
    t.is(first?.hop, name);
    const at = first?.saturatedAt ?? 0;
    const below = played({ ...deployment, envelopesPerSecond: at * 0.8 });
    for (const { hop, backlogSeconds } of below) t.true(backlogSeconds < 0.1, `${hop} is behind`);
    const above = played({ ...deployment, envelopesPerSecond: at * 1.3 });
    const behind = above.filter(({ backlogSeconds }) => backlogSeconds > 0.2);
    t.true(behind.some(({ hop }) => hop === name));
  });
}

test('an envelope makes a message of its own if it comes alone, and less the more come together', (t) => {
  t.true(Math.abs(messagesPerEnvelope(1, 50) - 1) < 1e-9);
  t.is(messagesPerEnvelope(100, 1), 0.01);
  t.true(messagesPerEnvelope(100, 100) < messagesPerEnvelope(10, 100));
});

test('the busiest of a hundred Dopplers has about as many sources as is computed', (t) => {
  for (const sources of [2000, 20_000, 100_000]) {
    const counts = new Array<number>(100).fill(0);
    for (let index = 0; index < sources; index += 1) {
      const owner = ownerOf(`app-${index}`, counts.length);
      counts[owner] = (counts[owner] ?? 0) + 1;
    }
    const found = Math.max(...counts) / (sources / counts.length);
    const computed = busiestShare(sources, counts.length);
    t.true(Math.abs(found / computed - 1) < 0.12, `${sources}: ${found}, computed ${computed}`);
  }
});
