import { Metrics } from '@standpipe/plumbing';
import { ManualClock, spyLog } from '@standpipe/plumbing/testing';
import { loggregator } from '@standpipe/protos';
import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import fc from 'fast-check';
import { Injector } from './injector.ts';
import { type InjectorMetrics, injectorMetrics } from './metrics.ts';
import { SeriesTable } from './series.ts';

type Envelope = loggregator.v2.Envelope;

const TIME = 1_700_000_000_123_456_789n;

test('makes one gauge envelope of a line, with its origin for a source', (t) => {
  const it = injector();
  it.send('shop.carts.open:7|g|#zone:eu-1,bare');
  const [envelope] = it.envelopes;
  t.is(String(envelope?.timestamp), String(TIME));
  t.is(envelope?.source_id, 'shop');
  t.is(envelope?.instance_id, '');
  t.deepEqual(envelope?.tags, { origin: 'shop', zone: 'eu-1', bare: '' });
  t.deepEqual(metricsOf(envelope), { 'carts.open': { unit: 'gauge', value: 7 } });
});

const VALUES: readonly [string, readonly number[], string][] = [
  ['a.b:5|g a.b:7|g', [5, 7], 'gauge'],
  ['a.b:5|g a.b:+2|g a.b:-10|g', [5, 7, -3], 'gauge'],
  ['a.b:-5|g', [-5], 'gauge'],
  ['a.b:10|g|@0.5', [20], 'gauge'],
  ['a.b:1|c a.b:2|c a.b:+3|c', [1, 3, 6], 'counter'],
  ['a.b:1|c a.b:-4|c', [1, -3], 'counter'],
  ['a.b:1|c|@0.1 a.b:1|c|#|@0.5', [10, 12], 'counter'],
  ['a.b:71|ms a.b:3|ms', [71, 3], 'ms'],
  ['a.b:-71|ms', [71], 'ms'],
  ['a.b:71|ms|@0.1', [710], 'ms'],
];

for (const [lines, values, unit] of VALUES) {
  test(`makes ${values.join(', ')} of ${lines}`, (t) => {
    const it = injector();
    it.send(lines.replaceAll(' ', '\n'));
    const metrics = it.envelopes.map((envelope) => metricsOf(envelope).b);
    t.deepEqual(
      metrics,
      values.map((value) => ({ unit, value })),
    );
  });
}

test('keeps the totals of differently tagged counters apart, in whatever order tags come', (t) => {
  const it = injector();
  it.send('a.b:1|c|#x:1,y:2\na.b:1|c|#x:1\na.b:1|c|#y:2,x:1\na.b:1|c\na.b:1|g|#x:1');
  t.deepEqual(it.values(), [1, 1, 2, 1, 1]);
});

test('lets a tag that is named origin stand, but not for the source', (t) => {
  const it = injector();
  it.send('a.b:1|c|#origin:other');
  t.is(it.envelopes[0]?.tags.origin, 'other');
  t.is(it.envelopes[0]?.source_id, 'a');
});

test('takes many lines from a datagram, with and without carriage returns', (t) => {
  const it = injector();
  it.send('a.b:1|c\r\na.b:2|c\n\n\r\na.b:4|c\n');
  t.deepEqual(it.values(), [1, 3, 7]);
  t.is(it.metrics.received.value, 3);
});

test('counts refused lines by reason, shows one, and takes those beside them', (t) => {
  const it = injector();
  it.send('a.b:1|c\nab:1|c\na.b:x|c\na.b:1|h\na.b:1|c|@0\na.b:2|c');
  it.take(Buffer.from([0x61, 0x2e, 0xff, 0x3a, 0x31, 0x7c, 0x63, 0x0a, ...Buffer.from('a.b:3|c')]));
  t.deepEqual(it.values(), [1, 3, 6]);
  const { origin, value, type, rate, utf8 } = it.metrics.rejected;
  t.deepEqual(
    [origin, value, type, rate, utf8].map((counter) => counter.value),
    [1, 1, 1, 1, 1],
  );
  t.is(it.metrics.received.value, 8);
  t.is(it.metrics.parsed.value, 3);
  t.is(it.log.lines.length, 5);
  t.is(it.log.lines[0]?.fields.line, 'ab:1|c');
});

test('refuses what would make a total infinite, and keeps the total', (t) => {
  const it = injector();
  it.send('a.b:1e308|c\na.b:1e308|c\na.b:1|c|@1e-308\na.b:-1e308|c');
  t.deepEqual(it.values(), [1e308, 0]);
  t.is(it.metrics.rejected.value.value, 2);
});

test('forgets the series that was used longest ago when there are too many', (t) => {
  const it = injector({ capacity: 2 });
  it.send('a.x:1|c\na.y:1|c\na.x:1|c\na.z:1|c\na.x:1|c\na.y:1|c');
  t.deepEqual(it.values(), [1, 1, 2, 1, 3, 1]);
  t.is(it.metrics.seriesForgotten.value, 2);
});

test('forgets a series that was not used for a day', async (t) => {
  const it = injector();
  it.send('a.x:1|c\na.y:1|c');
  await it.clock.advance(23 * 3_600_000);
  it.send('a.x:1|c');
  await it.clock.advance(2 * 3_600_000);
  it.send('a.x:1|c\na.y:1|c');
  t.deepEqual(it.values(), [1, 1, 2, 3, 1]);
  t.is(it.metrics.seriesForgotten.value, 1);
});

test('writes names and tags of any length', (t) => {
  const it = injector();
  const name = 'n'.repeat(20_000);
  const tags = Array.from({ length: 40 }, (_, index) => `k${index}:${'v'.repeat(900)}`);
  it.send(`a.${name}:1|c|#${tags.join(',')}`);
  it.send('a.b:1|c');
  t.deepEqual(Object.keys(metricsOf(it.envelopes[0])), [name]);
  t.is(Object.keys(it.envelopes[0]?.tags ?? {}).length, 41);
  t.deepEqual(metricsOf(it.envelopes[1]), { b: { unit: 'counter', value: 1 } });
});

test('counts every line in and out, and throws at nothing', (t) => {
  const it = injector();
  const piece = fc.oneof(
    fc.constantFrom('a.b:1|c', 'x.y:+2|g|#t:1', 'p.q:3|ms', 'bad', '\r', 'a.b:1|c|@0', ''),
    fc.string(),
  );
  const datagram = fc.oneof(
    fc.array(piece, { maxLength: 8 }).map((pieces) => Buffer.from(pieces.join('\n'))),
    fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
  );
  fc.assert(
    fc.property(datagram, (bytes) => {
      it.take(bytes);
      const { received, parsed, rejected } = it.metrics;
      const refused = Object.values(rejected).reduce((sum, { value }) => sum + value, 0);
      return received.value === parsed.value + refused && it.envelopes.length === parsed.value;
    }),
    { numRuns: 2000, seed: 3 },
  );
  t.true(it.envelopes.length > 100);
});

for (const seed of [1, 2, 3, 5]) {
  test(`stands where simple sums stand, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const it = injector();
    const model = new Map<string, number>();
    const expected: number[] = [];
    for (let step = 0; step < 500; step += 1) {
      const type = ['c', 'g', 'ms'][random(3)] ?? 'c';
      const sign = ['', '+', '-'][random(3)] ?? '';
      const value = random(1000) / 4;
      const rate = [1, 0.5, 0.25][random(3)] ?? 1;
      const tags = [['', 'x:1', 'y:2', 'x:1,y:2', 'y:2,x:1'][random(5)] ?? ''];
      it.send(`s.n${random(3)}:${sign}${value}|${type}|@${rate}|#${tags}`);
      const { tags: out } = it.envelopes.at(-1) as Envelope; // Every line is sound.
      const name = Object.keys(metricsOf(it.envelopes.at(-1)))[0];
      const key = JSON.stringify([type, name, Object.entries(out).sort()]);
      const scaled = value / rate;
      const before = type === 'g' && sign === '' ? 0 : (model.get(key) ?? 0);
      const after = type === 'ms' ? scaled : sign === '-' ? before - scaled : before + scaled;
      model.set(key, after);
      expected.push(after);
    }
    t.deepEqual(it.values(), expected);
  });
}

interface Running {
  readonly envelopes: Envelope[];
  readonly metrics: InjectorMetrics;
  readonly log: ReturnType<typeof spyLog>;
  readonly clock: ManualClock;
  send(text: string): void;
  take(datagram: Buffer): void;
  values(): number[];
}

function injector(options: { readonly capacity?: number } = {}): Running {
  const envelopes: Envelope[] = [];
  const log = spyLog();
  const clock = new ManualClock(1_700_000_000_000);
  const metrics = injectorMetrics(new Metrics({ origin: 'test' }), {
    waiting: () => 0,
    series: () => 0,
  });
  const it = new Injector({
    emit: (bytes) => envelopes.push(loggregator.v2.Envelope.decode(bytes)),
    metrics,
    log,
    clock,
    time: () => TIME,
    series: new SeriesTable(options),
  });
  return {
    envelopes,
    metrics,
    log,
    clock,
    send: (text) => it.take(Buffer.from(text)),
    take: (datagram) => it.take(datagram),
    values: () => envelopes.map((one) => Object.values(metricsOf(one))[0]?.value ?? Number.NaN),
  };
}

function metricsOf(
  envelope: Envelope | undefined,
): Record<string, { unit: string; value: number }> {
  const metrics = envelope?.gauge?.metrics ?? {};
  return Object.fromEntries(
    Object.entries(metrics).map(([name, { unit, value }]) => [
      name,
      { unit: unit ?? '', value: value ?? 0 },
    ]),
  );
}
