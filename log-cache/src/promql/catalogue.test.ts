import test from 'ava';
import type { Form } from '../rest/params.ts';
import { CountedTurns } from '../testing-turns.ts';
import { CATALOGUE } from './catalogue.ts';
import { QueryError } from './errors.ts';
import { SampleBudget } from './pacer.ts';
import { ANYBODY, gaugeAt, testQuerier } from './testing.ts';

class CountedBudget extends SampleBudget {
  override readonly turns: CountedTurns = new CountedTurns();
}

async function series(texts: readonly string[]): Promise<{ body: string; turns: number }> {
  const budget = new CountedBudget(1_000_000);
  const { put, querier } = testQuerier({ budget });
  put(gaugeAt(1_700_000_000, { x: 1 }));
  const form: Form = new Map([['match', texts.map((text) => Buffer.from(text))]]);
  const reply = await CATALOGUE.series?.(querier, form, ANYBODY);
  return { body: String(reply?.body), turns: budget.turns.count };
}

test('many long match[] are not read in one turn', async (t) => {
  const long = `x{${'a="",'.repeat(1400)}source_id="app"}`;
  const few = await series([long]);
  const many = await series(Array(100).fill(long));
  t.is(many.body, few.body);
  t.regex(many.body, /"source_id":"app"/);
  t.true(many.turns > 10 + few.turns, `${many.turns} turns`);
});

test('the regular expressions of all match[] have one sum', async (t) => {
  const pattern = (n: number): string => `{source_id="app",a=~"(b{900})${n}|"}`;
  t.regex((await series([pattern(1)])).body, /"source_id":"app"/);
  await t.throwsAsync(series(Array.from({ length: 50 }, (_, n) => pattern(n))), {
    instanceOf: QueryError,
    message: /there are too many, or too large, regular expressions/,
  });
});
