import test from 'ava';
import { Pace, ROUND_MS, Rounds } from './pace.ts';

test('after a quiet spell there is no wait for others', async (t) => {
  const { pace, rounds, clock } = setUp();
  await pace.gather();
  clock.ms += ROUND_MS;
  await pace.gather();
  t.is(rounds.waiting.length, 0);
});

test('who was sent something within the last round waits for the end of one', async (t) => {
  const { pace, rounds, clock } = setUp();
  await pace.gather();
  clock.ms += ROUND_MS - 1;
  let isOver = false;
  const gathered = pace.gather().then(() => {
    isOver = true;
  });
  await nextTurn();
  t.false(isOver);
  rounds.end();
  await gathered;
  t.true(isOver);
});

test('a wait counts from the last message, so that a stream that goes on waits each time', async (t) => {
  const { pace, rounds, clock } = setUp();
  await pace.gather();
  for (let round = 0; round < 3; round += 1) {
    clock.ms += 1;
    const gathered = pace.gather();
    clock.ms += ROUND_MS;
    t.is(rounds.waiting.length, 1);
    rounds.end();
    await gathered;
  }
});

test('a full message does not wait for the end of the round, which then finds nobody', async (t) => {
  const { pace, rounds } = setUp();
  await pace.gather();
  const gathered = pace.gather();
  pace.hurry();
  await t.notThrowsAsync(gathered);
  t.notThrows(() => rounds.end());
  t.notThrows(() => pace.hurry(), 'when nobody waits it is nothing');
});

test('rounds are the same for all: those who wait go on in one turn, and another follows', async (t) => {
  const rounds = new Rounds();
  const ended: number[] = [];
  for (let n = 0; n < 3; n += 1) rounds.atEnd(() => ended.push(n));
  const atLast = new Promise<void>((resolve) => {
    rounds.atEnd(() => {
      t.deepEqual(ended, [0, 1, 2]);
      rounds.atEnd(resolve);
    });
  });
  t.deepEqual(ended, [], 'not before its end');
  await t.notThrowsAsync(atLast);
});

/** Rounds that end when they are told to. */
class ManualRounds {
  waiting: (() => void)[] = [];

  atEnd(listener: () => void): void {
    this.waiting.push(listener);
  }

  end(): void {
    for (const listener of this.waiting.splice(0)) listener();
  }
}

function setUp(): { pace: Pace; rounds: ManualRounds; clock: { ms: number } } {
  const rounds = new ManualRounds();
  const clock = { ms: 0 };
  return { pace: new Pace(rounds, () => clock.ms), rounds, clock };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
