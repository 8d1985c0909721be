import { Metrics, Rounds } from '@standpipe/plumbing';
import { eventually, ManualClock, spyLog } from '@standpipe/plumbing/testing';
import { Batch, scanBatch } from '@standpipe/protos';
import { encodeBatch, numberedLog, randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { parseBindings } from './bindings.ts';
import { Drain } from './drain.ts';
import { FrameBuffer } from './framing.ts';
import { adapterMetrics } from './metrics.ts';
import { Rfc5424Writer } from './rfc5424.ts';
import { type DrainWriter, WriteError } from './writers/writer.ts';

test('takes of a batch only what was picked', async (t) => {
  const { drain, writer, give } = started(100);
  give(range(0, 10), (number) => number % 2 === 0);
  give([11], () => true);
  await drain.close();
  t.deepEqual(writer.numbers, [0, 2, 4, 6, 8, 11]);
});

test('writes again what could not be written, ever more slowly', async (t) => {
  const clock = new ManualClock();
  const { drain, writer, give, log } = started(100, { clock });
  writer.failures = 5;
  give(range(0, 10));
  for (const waitMs of [1, 2, 4, 8, 16]) {
    await eventually(() => clock.sleeping === 1);
    const { tries } = writer;
    const since = clock.now();
    while (writer.tries === tries) await clock.advance(0.5);
    const waited = clock.now() - since;
    t.true(waited >= waitMs * 0.8 - 0.5 && waited <= waitMs + 0.5, `${waited} of ${waitMs} ms`);
  }
  await drain.close();
  t.deepEqual(writer.numbers, range(0, 10));
  t.deepEqual(
    log.lines.map(({ text }) => text),
    ['a drain is away; trying again until it is back', 'a drain is back'],
  );
});

test('a close that is cut drops what is left, counts all of it, and says so', async (t) => {
  const { drain, writer, give, metrics, log } = started(100);
  writer.failures = Number.POSITIVE_INFINITY;
  give(range(0, 50));
  const closed = drain.close();
  await eventually(() => writer.tries > 1);
  drain.cut();
  await closed;
  t.is(metrics.dropped.value, 50);
  t.deepEqual(writer.numbers, []);
  const { text, fields } = log.lines.at(-1) ?? {};
  t.is(text, 'dropped what a closed drain had not taken');
  t.is(fields?.count, 50);
});

test('a bug in a writer ends the process instead of being tried again', async (t) => {
  const { drain, writer, give } = started(100);
  writer.bug = new TypeError('a bug');
  give([1]);
  await t.throwsAsync(drain.close(), { instanceOf: TypeError });
});

// Whatever a writer does, each envelope is written once, dropped, or unsendable, and those that
// are written come in order. A failure names the seed, and the seed repeats the run.
for (const seed of [1, 2, 3, 5, 8, 13, 21, 34]) {
  test(`given = written + dropped + unsendable, in order, seed ${seed}`, async (t) => {
    const random = randomFrom(seed);
    const { drain, writer, give, metrics } = started(1 + random(200));
    writer.random = random;
    let given = 0;
    for (let step = 0; step < 200; step += 1) {
      const numbers = range(given, given + random(30));
      given += numbers.length;
      give(numbers, () => true, random(5) === 0);
      if (random(3) === 0) await turn();
    }
    const closed = drain.close();
    if (random(2) === 0) drain.cut();
    await closed;
    const { numbers } = writer;
    t.deepEqual(
      numbers,
      [...new Set(numbers)].sort((a, b) => a - b),
    );
    t.is(numbers.length + metrics.dropped.value + metrics.unsendable.value, given);
  });
}

/** Notes the numbers of what it takes; fails as told. */
class FakeWriter implements DrainWriter {
  readonly numbers: number[] = [];
  readonly isOpen = true;
  tries = 0;
  failures = 0;
  bug: Error | undefined;
  random: ((below: number) => number) | undefined;
  #cut: (() => void) | undefined;

  async write(bytes: Buffer): Promise<void> {
    this.tries += 1;
    if (this.bug) throw this.bug;
    if (this.random) await this.#wander(this.random);
    if (this.failures > 0) {
      this.failures -= 1;
      throw new WriteError('away');
    }
    for (const [, number] of bytes.toString().matchAll(/ line (\d+)\n/g)) {
      this.numbers.push(Number(number));
    }
  }

  cut(): void {
    this.#cut?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** Takes a while, and fails every now and then. */
  async #wander(random: (below: number) => number): Promise<void> {
    const turns = random(4);
    for (let turn = 0; turn < turns; turn += 1) {
      await new Promise<void>((resolve, reject) => {
        this.#cut = () => reject(new WriteError('cut'));
        setImmediate(resolve);
      });
    }
    if (random(4) === 0) this.failures = 1 + random(2);
  }
}

function started(bufferSize: number, options: { clock?: ManualClock } = {}) {
  const { drains } = parseBindings('[{"url":"syslog://h:1","app_id":"app"}]', {
    perApp: 5,
    metadata: true,
  });
  const [binding] = drains;
  if (!binding) throw new Error('no binding');
  const writer = new FakeWriter();
  const frames = new FrameBuffer();
  const metrics = adapterMetrics(new Metrics({ origin: 'test' }));
  const log = spyLog();
  const drain = new Drain(binding, writer, {
    frames,
    text: new Rfc5424Writer(frames),
    metrics,
    log,
    clock: options.clock ?? { now: () => 0, sleep: () => turn() },
    bufferSize,
    rounds: new Rounds(),
    onLost: () => {},
  });
  const batch = new Batch();
  /** Gives numbered lines of which those that are wanted are picked. */
  const give = (
    numbers: readonly number[],
    wants: (number: number) => boolean = () => true,
    isBad = false,
  ): void => {
    const tags = isBad ? { 'a b': 'c' } : {};
    scanBatch(
      encodeBatch(numbers.map((number) => ({ ...numberedLog('app', number), tags }))),
      batch,
    );
    let isPicked = false;
    for (const [index, number] of numbers.entries()) {
      if (wants(number) && drain.pick(index)) isPicked = true;
    }
    if (isPicked) drain.accept(batch);
  };
  return { drain, writer, give, metrics, log };
}

/** Lets whatever waits go on. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
