import test from 'ava';
import { QueryError } from './errors.ts';
import { Pacer, SampleBudget } from './pacer.ts';
import { ANYBODY } from './testing.ts';

const { signal } = ANYBODY;

test('what is left of a query that is over holds nothing any more', async (t) => {
  const budget = new SampleBudget(100);
  const pace = new Pacer({ budget, timeoutMs: 60_000, signal });
  pace.hold(50);
  t.is(budget.held, 50);
  pace[Symbol.dispose]();
  t.is(budget.held, 0);
  t.true(pace.signal.aborted, 'other nodes hear that no more is wanted');
  t.is(t.throws(() => pace.hold(10), { instanceOf: QueryError })?.type, 'canceled');
  await t.throwsAsync(pace.pause(), { instanceOf: QueryError });
  t.is(budget.held, 0);
});

test('each query may hold half of what the others leave, and one more none', (t) => {
  const budget = new SampleBudget(1000);
  const open = (): Pacer => new Pacer({ budget, timeoutMs: 60_000, signal });
  const [first, second, third] = [open(), open(), open()];
  first.hold(400);
  first.hold(100);
  const text = /query processing would load too many samples/;
  t.throws(() => first.hold(1), { instanceOf: QueryError, message: text });
  second.hold(250);
  t.throws(() => second.hold(1), { message: text });
  third.hold(125);
  t.is(budget.held, 875);

  first.hold(-500);
  second.hold(187);
  t.throws(() => second.hold(1), { message: text });
  for (const pace of [first, second, third]) pace[Symbol.dispose]();
  t.is(budget.held, 0);
});

test('one query goes on per round of the event loop, however many wait', async (t) => {
  const budget = new SampleBudget(100);
  let round = 0;
  const count = (): void => {
    round += 1;
    if (round < 100) setImmediate(count);
  };
  setImmediate(count);
  const rounds = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const { signal } = new AbortController();
      using pace = new Pacer({ budget, timeoutMs: 60_000, signal });
      await pace.pause();
      return round;
    }),
  );
  t.is(new Set(rounds).size, rounds.length);
});
