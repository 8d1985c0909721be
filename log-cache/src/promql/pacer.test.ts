import test from 'ava';
import { QueryError } from './errors.ts';
import { Pacer, SampleBudget } from './pacer.ts';
import { ANYBODY } from './testing.ts';

const { signal } = ANYBODY;

test('what is left of a query that is over holds nothing any more', async (t) => {
  const budget = new SampleBudget(100);
  const pace = new Pacer({ budget, timeoutMs: 60_000, signal });
  pace.hold(60);
  t.is(budget.held, 60);
  pace[Symbol.dispose]();
  t.is(budget.held, 0);
  t.true(pace.signal.aborted, 'other nodes hear that no more is wanted');
  t.is(t.throws(() => pace.hold(10), { instanceOf: QueryError })?.type, 'canceled');
  await t.throwsAsync(pace.pause(), { instanceOf: QueryError });
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
      using pace = new Pacer({ budget, timeoutMs: 60_000, signal });
      await pace.pause();
      return round;
    }),
  );
  t.is(new Set(rounds).size, rounds.length);
});
