import test from 'ava';
import { memoryBudget, systemMemoryBytes } from './memory-budget.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

test('takes the bytes that were said, whatever memory there is', (t) => {
  t.is(memoryBudget({ limitBytes: 100 * MIB, limitPercent: 0 }, 64 * MIB), 100 * MIB);
  t.is(memoryBudget({ limitBytes: 100 * MIB, limitPercent: 10 }, 64 * GIB), 100 * MIB);
  t.is(
    memoryBudget({ limitBytes: 1, limitPercent: 50 }),
    64 * 1024,
    'the least that it works with',
  );
  t.is(memoryBudget({ limitBytes: 2 ** 50, limitPercent: 50 }), 8 * GIB, 'and the most');
});

test('takes the percentage that was said of the memory there is, within what a store can hold', (t) => {
  t.is(memoryBudget({ limitBytes: 0, limitPercent: 25 }, 4 * GIB), GIB);
  t.is(memoryBudget({ limitBytes: 0, limitPercent: 100 }, 64 * GIB), 8 * GIB);
  t.is(memoryBudget({ limitBytes: 0, limitPercent: 1 }, MIB), 64 * 1024);
});

test('takes 256 MiB when nothing was said, or half of the memory where that is less', (t) => {
  const unsaid = { limitBytes: 0, limitPercent: 0 };
  t.is(memoryBudget(unsaid, 16 * GIB), 256 * MIB);
  t.is(memoryBudget(unsaid, 300 * MIB), 150 * MIB);
});

test('knows the limit of a container, where there is one', (t) => {
  t.is(systemMemoryBytes(4 * GIB, GIB), GIB);
  t.is(systemMemoryBytes(4 * GIB, 0), 4 * GIB);
  t.is(systemMemoryBytes(4 * GIB, 2 ** 64), 4 * GIB);
});
