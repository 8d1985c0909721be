import test from 'ava';
import { Pace, Rounds } from './pace.ts';

const MS = 20;
const PROMPT = 3;

test('what a quiet process sends leaves at once', async (t) => {
  const { rounds, clock } = setUp();
  const pace = new Pace(rounds);
  for (let count = 0; count < 10; count += 1) {
    await pace.gather(() => PROMPT);
    clock.ms += MS;
  }
  t.false(rounds.hasWaiting);
});

test('who sends after that many items of a round waits for its end', async (t) => {
  const { rounds } = setUp();
  const first = new Pace(rounds);
  const second = new Pace(rounds);
  await first.gather(() => PROMPT - 1);
  await second.gather(() => 1);
  let isOver = false;
  const gathered = second
    .gather(() => 1)
    .then(() => {
      isOver = true;
    });
  await nextTurn();
  t.false(isOver);
  rounds.end();
  await gathered;
  t.true(isOver);
});

test('what leaves at the end of a round counts in the next one, as much as has come by then', async (t) => {
  const { rounds } = setUp();
  const pace = new Pace(rounds);
  await pace.gather(() => PROMPT);
  let waiting = 1;
  const gathered = pace.gather(() => waiting);
  waiting = PROMPT;
  rounds.end();
  await gathered;
  t.false(rounds.isQuiet);
});

test('nobody overtakes those who wait, though the clock says that their round is over', async (t) => {
  const { rounds, clock } = setUp();
  const pace = new Pace(rounds);
  await pace.gather(() => PROMPT);
  const gathered = pace.gather(() => 1);
  clock.ms += 2 * MS;
  t.false(rounds.isQuiet);
  rounds.end();
  await t.notThrowsAsync(gathered);
});

test('a full message does not wait for the end of the round, which then finds nobody', async (t) => {
  const { rounds } = setUp();
  const pace = new Pace(rounds);
  await pace.gather(() => PROMPT);
  const gathered = pace.gather(() => 1);
  pace.hurry();
  await t.notThrowsAsync(gathered);
  t.notThrows(() => rounds.end());
});

test('nor does it wait for the next turn, in which its queue would overflow', async (t) => {
  const { rounds } = setUp();
  const pace = new Pace(rounds);
  let isTurnOver = false;
  const gathered = pace.gather(() => 1);
  setImmediate(() => {
    isTurnOver = true;
  });
  pace.hurry();
  await gathered;
  t.false(isTurnOver);
});

test('a round in which somebody was hurried ends without taking that from who waits next', async (t) => {
  const { rounds } = setUp();
  const pace = new Pace(rounds);
  await pace.gather(() => PROMPT);
  const first = pace.gather(() => 1);
  pace.hurry();
  await first;
  const second = pace.gather(() => 1);
  rounds.endOf(0);
  pace.hurry();
  await t.notThrowsAsync(second);
});

test('a message that is full before anybody waits is not waited with either', async (t) => {
  const { rounds } = setUp();
  const pace = new Pace(rounds);
  await pace.gather(() => PROMPT);
  pace.hurry();
  await pace.gather(() => 1);
  t.false(rounds.hasWaiting);
  void pace.gather(() => 1);
  t.true(rounds.hasWaiting, 'the one after it is');
});

test('rounds are the same for all: those who wait go on in one turn, and another follows', async (t) => {
  const rounds = new Rounds();
  t.true(rounds.isQuiet);
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

for (const [messages, lastsMs] of [
  [4, 1],
  [300, 60],
  [5000, 100],
] as const) {
  test(`after a round with ${messages} messages one lasts ${lastsMs} ms`, async (t) => {
    const clock = { ms: 0 };
    const rounds = new Rounds({ ms: 1, prompt: 1, now: () => clock.ms });
    t.true(rounds.isQuiet);
    const waiting = Array.from({ length: messages }, () => {
      return new Promise<void>((resolve) => rounds.atEnd(resolve));
    });
    await Promise.all(waiting);
    rounds.sent(1);
    clock.ms = lastsMs - 0.5;
    t.false(rounds.isQuiet);
    clock.ms = lastsMs;
    t.true(rounds.isQuiet);
  });
}

/** Rounds that end when they are told to. */
class ManualRounds extends Rounds {
  #waiting: (() => void)[] = [];

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  override get isQuiet(): boolean {
    return super.isQuiet && !this.hasWaiting;
  }

  override atEnd(listener: () => void): void {
    this.#waiting.push(listener);
  }

  /** Ends the round of one only. */
  endOf(waiter: number): void {
    this.#waiting.splice(waiter, 1)[0]?.();
  }

  end(): void {
    for (const listener of this.#waiting.splice(0)) listener();
  }
}

function setUp(): { rounds: ManualRounds; clock: { ms: number } } {
  const clock = { ms: 0 };
  const rounds = new ManualRounds({ ms: MS, prompt: PROMPT, now: () => clock.ms });
  return { rounds, clock };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
