import test from 'ava';
import type { LifecycleState } from './lifecycle.ts';
import { Metrics } from './metrics.ts';
import { serveMetrics } from './serve-metrics.ts';
import { spyLog } from './testing.ts';

test('is alive as long as it answers, and ready only while the process serves', async (t) => {
  let state: LifecycleState = 'starting';
  const listener = await serveMetrics(new Metrics({ origin: 'doppler' }), {
    port: 0,
    log: spyLog(),
    state: () => state,
  });
  t.teardown(() => listener[Symbol.asyncDispose]());
  for (const [next, status] of [
    ['starting', 503],
    ['ready', 200],
    ['draining', 503],
  ] as const) {
    state = next;
    const ready = await fetch(`http://127.0.0.1:${listener.port}/health/ready`);
    t.is(ready.status, status);
    t.deepEqual(await ready.json(), { status: next });
    for (const path of ['/health', '/health/live']) {
      const alive = await fetch(`http://127.0.0.1:${listener.port}${path}`);
      t.is(alive.status, 200);
      t.deepEqual(await alive.json(), { status: 'ok' });
    }
  }
});
