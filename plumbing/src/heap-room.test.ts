import { execFileSync } from 'node:child_process';
import test from 'ava';
import { growthPercent } from './heap-room.ts';

const room = new URL('./heap-room.js', import.meta.url).href;

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

/** Says what a heap that has a hundred thousand objects of a kilobyte comes to, while others take their place. */
const TURNOVER = `
  import { getHeapStatistics } from 'node:v8';
  const [room] = process.argv.slice(1);
  if (room) (await import(room)).giveHeapRoom();
  const held = new Map();
  let most = 0;
  for (let number = 0; number < 600_000; number += 1) {
    held.set('source ' + number, { number, values: new Array(100).fill(number) });
    if (number >= 100_000) held.delete('source ' + (number - 100_000));
    if (number % 1000 > 0) continue;
    most = Math.max(most, getHeapStatistics().used_heap_size);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  process.stdout.write(String(most / 2 ** 20));
`;

test('Buffers that come and go have a small heap marked a third as often, or less', (t) => {
  const without = said(CHURN, []);
  const withRoom = said(CHURN, [room]);
  t.log(`${without} marks without room, ${withRoom} with it`);
  t.true(without >= 3);
  t.true(withRoom <= without / 3);
});

test('a heap may grow by the room, and one that is larger than that may double', (t) => {
  const mebibyte = 2 ** 20;
  t.is(growthPercent(16 * mebibyte), 600);
  t.is(growthPercent(96 * mebibyte), 100);
  t.is(growthPercent(400 * mebibyte), 100);
});

// It was small when it was marked first, and had room for seven times as much then.
test('a heap that has become large is marked when it has doubled', (t) => {
  const most = said(TURNOVER, [room]);
  t.true(most < 320, `${most} MiB`);
});

function said(script: string, args: readonly string[]): number {
  const node = ['--input-type=module', '--eval', script, '--', ...args];
  return Number(execFileSync(process.execPath, node, { encoding: 'utf8' }));
}
