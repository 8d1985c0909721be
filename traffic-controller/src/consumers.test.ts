import type { Clock } from '@standpipe/plumbing';
import { ManualClock } from '@standpipe/plumbing/testing';
import test from 'ava';
import { Consumers } from './consumers.ts';

test('there is no room any more once it ends, and no timer is left', async (t) => {
  const clock = new ManualClock();
  const consumers = new Consumers({ maxConsumers: 1, clock, drainMs: 100 });
  t.false(consumers.full);
  t.is(clock.sleeping, 1);
  await consumers[Symbol.asyncDispose]();
  t.true(consumers.full);
  t.is(clock.sleeping, 0);
});

test('nobody is judged after the process stood still, until what came meanwhile is read', async (t) => {
  const clock = new LateClock();
  const consumers = new Consumers({ maxConsumers: 1, clock, drainMs: 100 });
  let ticks = 0;
  let leave: () => void = () => undefined;
  consumers.add({
    peer: { door: 'firehose', path: '', remoteAddress: '', forwardedFor: '' },
    gone: new Promise((resolve) => {
      leave = resolve;
    }),
    tick: () => {
      ticks += 1;
    },
    drain: () => leave(),
    cut: () => leave(),
  });
  const counts: number[] = [];
  for (const sleptMs of [250, 400, 6000, 250, 6000, 6000, 6000]) {
    await clock.wake(sleptMs);
    counts.push(ticks);
  }
  // A process that stands still all the time judges every other time.
  t.deepEqual(counts, [1, 2, 2, 3, 3, 4, 4]);
  await consumers[Symbol.asyncDispose]();
});

/** A clock whose sleepers wake when the test says so, however late that is. */
class LateClock implements Clock {
  #now = 0;
  readonly #sleepers = new Set<() => void>();

  now(): number {
    return this.#now;
  }

  sleep(_ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#sleepers.add(resolve);
      signal?.addEventListener('abort', () => resolve());
    });
  }

  async wake(sleptMs: number): Promise<void> {
    this.#now += sleptMs;
    for (const sleeper of this.#sleepers) sleeper();
    this.#sleepers.clear();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
