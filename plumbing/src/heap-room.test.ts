import { execFileSync } from 'node:child_process';
import test from 'ava';
import { growthPercent } from './heap-room.ts';

/** Says how often a heap with some objects is marked while 3 GB of Buffers come and go. */
const CHURN = `
  import { PerformanceObserver, constants } from 'node:perf_hooks';
  const [room] = process.argv.slice(1);
  if (room) (await import(room)).giveHeapRoom();
  let marks = 0;
  const count = (entries) => {
    for (const { detail } of entries) {
      if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) marks += 1;
    }
  };
  const observer = new PerformanceObserver((list) => count(list.getEntries()));
  observer.observe({ entryTypes: ['gc'] });
  globalThis.kept = Array.from({ length: 100_000 }, (_, index) => ({ index, text: 'text ' + index }));
  for (let turn = 0; turn < 3000; turn += 1) {
    for (let count = 0; count < 16; count += 1) Buffer.allocUnsafeSlow(65_536);
    await new Promise(setImmediate);
  }
  count(observer.takeRecords());
  process.stdout.write(String(marks));
`;

test('Buffers that come and go have a small heap marked a third as often, or less', (t) => {
  const room = new URL('./heap-room.js', import.meta.url).href;
  const without = marks([]);
  const withRoom = marks([room]);
  t.log(`${without} marks without room, ${withRoom} with it`);
  t.true(without >= 3);
  t.true(withRoom <= without / 3);
});

test('a heap that is larger than the room grows as V8 chooses', (t) => {
  const mebibyte = 2 ** 20;
  t.is(growthPercent(16 * mebibyte, 20 * mebibyte), 600);
  t.is(growthPercent(16 * mebibyte, 110 * mebibyte), 600, 'what came since may be garbage');
  t.is(growthPercent(95 * mebibyte, 95 * mebibyte), 101);
  t.is(growthPercent(96 * mebibyte, 96 * mebibyte), 0);
  t.is(growthPercent(16 * mebibyte, 192 * mebibyte), 0, 'it has not been marked for long');
});

function marks(args: readonly string[]): number {
  const node = ['--input-type=module', '--eval', CHURN, '--', ...args];
  return Number(execFileSync(process.execPath, node, { encoding: 'utf8' }));
}
