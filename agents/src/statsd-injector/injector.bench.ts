/**
 * What a statsd line costs between its datagram and its envelope.
 *
 *     npm run bench -- injector
 */

import { createLogger, Metrics } from '@standpipe/plumbing';
import { BatchBuilder } from '@standpipe/protos';
import { Bench, type BenchOptions } from 'tinybench';
import { Injector } from './injector.ts';
import { injectorMetrics } from './metrics.ts';

export const unit: string = 'line';
export const perRun: number = 20;

export function bench(options: BenchOptions): Bench {
  const suite = new Bench(options);
  const builder = new BatchBuilder();
  const injector = new Injector({
    emit: (envelope) => builder.addBytes(envelope),
    metrics: injectorMetrics(new Metrics({ origin: 'bench' }), {
      waiting: () => 0,
      series: () => 0,
    }),
    log: createLogger('bench'),
  });
  for (const [shape, line] of [
    ['a counter', (n: number) => `shop.requests_${n}:1|c`],
    ['a counter with tags', (n: number) => `shop.requests:1|c|#code:200,verb:GET,route:r${n}`],
    ['a gauge with tags', (n: number) => `shop.open:12.5|g|#zone:eu-1,host:h${n}`],
    ['a timer', (n: number) => `shop.took_${n}:12.25|ms|@0.5`],
  ] as const) {
    const lines = Array.from({ length: perRun }, (_, n) => line(n));
    const datagram = Buffer.from(lines.join('\n'));
    suite.add(shape, () => {
      injector.take(datagram);
      builder.take();
    });
  }
  return suite;
}
