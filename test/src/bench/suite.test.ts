import test from 'ava';
import { figuresOf, type Scenario } from './scenario.ts';
import { playSuite } from './suite.ts';

function scenario(name: string, play: Scenario['play']): Scenario {
  return { name, about: name, shapes: ['lean'], play };
}

const usage = { seconds: 1, sent: 1, received: 1, lost: 0, processes: [], cpuMicros: 1 };

test('a scenario that fails, or does not end, costs none of the others', async (t) => {
  const told: string[] = [];
  await playSuite({
    words: [],
    seconds: 1,
    rateFactorOf: () => 1,
    limitMs: 100,
    scenarios: [
      scenario('fails', () => Promise.reject(new Error('it broke'))),
      scenario('hangs', () => new Promise(() => undefined)),
      scenario('plays', async ({ shape }) => [figuresOf({ shape, detail: '', asked: 1, usage })]),
    ],
    onPlayed: ({ scenario: { name }, figures }) => void told.push(`${name}: ${figures.length}`),
    onFailed: ({ scenario: name, reason }) => void told.push(`${name}: ${reason}`),
  });
  t.deepEqual(told, ['fails: it broke', 'hangs: it did not end within 0 s', 'plays: 1']);
});
