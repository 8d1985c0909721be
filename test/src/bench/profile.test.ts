import test from 'ava';
import { sharesOf } from './profile.ts';

function frame(id: number, functionName: string, url = ''): object {
  return { id, callFrame: { functionName, url } };
}

test('the time of a process is summed by what its code is for, and idle time is none', (t) => {
  const shares = sharesOf(
    {
      startTime: 5_000_000,
      nodes: [
        frame(1, '(idle)'),
        frame(2, '(garbage collector)'),
        frame(3, 'put', 'file:///app/log-cache/dist/store.js'),
        frame(4, 'take', 'file:///app/log-cache/dist/arena.js'),
        frame(5, 'onread', 'node:internal/http2/core'),
        frame(6, 'writeBuffer'),
      ] as never, // As far as it is needed.
      samples: [3, 1, 2, 3, 4, 5, 6, 3],
      timeDeltas: [999, 900_000, 10_000, 20_000, 30_000, 25_000, 15_000, 500_000],
    },
    { from: 5_000_999, to: 6_000_999 },
  );
  t.deepEqual(shares, [
    { part: 'log cache', share: 0.5 },
    { part: 'http2 and sockets', share: 0.25 },
    { part: 'writes to sockets', share: 0.15 },
    { part: 'garbage collection', share: 0.1 },
  ]);
});
