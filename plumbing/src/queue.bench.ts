/**
 * What a batch costs on its way through a queue: passing through, and dropping the oldest.
 */

import { Bench, type BenchOptions } from 'tinybench';
import { BoundedQueue, type Weighted } from './queue.ts';

export const unit = 'batch';
export const perRun = 1000;

const UNITS = 100;
const UNIT_BYTES = 282;

export function bench(options: BenchOptions): Bench {
  const suite = new Bench(options);
  const limits = { maxCount: 10_000, maxBytes: 10_000 * UNIT_BYTES, onDrop: () => undefined };
  const batch = new Units(UNITS);

  const passing = new BoundedQueue<Units>(limits);
  suite.add('put, then take', () => {
    for (let n = 0; n < perRun; n += 1) {
      passing.put(batch);
      passing.take();
    }
  });

  const joining = new BoundedQueue<Units>({ ...limits, join: joined });
  const single = new Units(1);
  suite.add('put single units, take a hundred', () => {
    for (let n = 0; n < perRun; n += 1) {
      joining.put(single);
      if (n % UNITS === UNITS - 1) joining.take(UNITS);
    }
  });

  const full = new BoundedQueue<Units>(limits);
  suite.add('put into a full queue', () => {
    for (let n = 0; n < perRun; n += 1) full.put(batch);
  });

  const cutting = new BoundedQueue<Units>({ ...limits, maxCount: 9_950 });
  suite.add('put into a full queue, cutting a batch', () => {
    for (let n = 0; n < perRun; n += 1) cutting.put(n % 2 === 0 ? batch : single);
  });
  return suite;
}

/** Units that are all alike: the cost of the queue alone. */
class Units implements Weighted {
  readonly count: number;
  readonly byteLength: number;

  constructor(count: number) {
    this.count = count;
    this.byteLength = count * UNIT_BYTES;
  }

  withoutFirst(n: number): this {
    return new Units(this.count - n) as this; // Nothing extends it.
  }
}

function joined(items: readonly Units[]): Units {
  return new Units(items.reduce((sum, { count }) => sum + count, 0));
}
