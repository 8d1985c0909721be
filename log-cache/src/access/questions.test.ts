import { eventually, ManualClock } from '@standpipe/plumbing/testing';
import test from 'ava';
import { NoTurnError, Questions } from './questions.ts';

/** Questions that are answered when the test says so. */
class Asked {
  readonly answers: (() => void)[] = [];
  readonly ask = (): Promise<string> =>
    new Promise((resolve) => this.answers.push(() => resolve('yes')));
}

test('one reader has sixteen questions at a time, and others have theirs', async (t) => {
  const questions = new Questions(new ManualClock(0));
  const [his, hers] = [new Asked(), new Asked()];
  const all = Array.from({ length: 40 }, () => questions.ask('he', his.ask));
  const other = questions.ask('she', hers.ask);
  await eventually(() => hers.answers.length === 1);
  t.is(his.answers.length, 16);
  hers.answers[0]?.();
  t.is(await other, 'yes');
  for (let index = 0; index < 40; index += 1) {
    await eventually(() => his.answers.length === Math.min(40, 16 + index));
    his.answers[index]?.();
  }
  t.deepEqual(new Set(await Promise.all(all)), new Set(['yes']));
  t.is(questions.size, 0);
});

test('a question that has no turn in time is an error, and takes nobody’s turn', async (t) => {
  const clock = new ManualClock(0);
  const questions = new Questions(clock);
  const asked = new Asked();
  const first = Array.from({ length: 16 }, () => questions.ask('he', asked.ask));
  const late = t.throwsAsync(questions.ask('he', asked.ask), { instanceOf: NoTurnError });
  await clock.advance(20_000);
  await late;
  const next = questions.ask('he', asked.ask);
  t.is(asked.answers.length, 16);
  asked.answers[0]?.();
  await eventually(() => asked.answers.length === 17);
  for (const answer of asked.answers) answer();
  await Promise.all([...first, next]);
  t.is(questions.size, 0);
});

test('a line is a thousand questions long', async (t) => {
  const questions = new Questions(new ManualClock(0));
  const asked = new Asked();
  const all = Array.from({ length: 1016 }, () => questions.ask('he', asked.ask));
  await t.throwsAsync(questions.ask('he', asked.ask), { instanceOf: NoTurnError });
  for (let index = 0; index < 1016; index += 1) {
    await eventually(() => asked.answers.length > index);
    asked.answers[index]?.();
  }
  await Promise.all(all);
  t.is(questions.size, 0);
});

test('a question that fails gives its turn away', async (t) => {
  const questions = new Questions(new ManualClock(0));
  const failing = Array.from({ length: 40 }, () =>
    questions.ask('he', () => Promise.reject(new Error('away'))),
  );
  const ends = await Promise.allSettled(failing);
  t.true(ends.every(({ status }) => status === 'rejected'));
  t.is(questions.size, 0);
});
