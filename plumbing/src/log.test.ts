import test from 'ava';
import { createLogger, Limiter, LOG_INTERVAL_MS } from './log.ts';

test('writes one JSON object per line, with its name and the facts', (t) => {
  const { lines, destination } = memory();
  const log = createLogger('doppler', { level: 'info', destination });
  log.info({ shard: 3 }, 'listening');
  log.error({ error: new Error('gone') }, 'a peer went away');
  log.debug({}, 'not written');
  t.is(lines.length, 2);
  t.like(lines[0], { name: 'doppler', shard: 3, msg: 'listening' });
  t.like(lines[1], { msg: 'a peer went away', error: { message: 'gone', type: 'Error' } });
});

test('gives a child the facts of its lines', (t) => {
  const { lines, destination } = memory();
  const log = createLogger('doppler', { level: 'debug', destination }).child({ peer: 'a:1' });
  log.debug({ n: 1 }, 'x');
  t.like(lines[0], { name: 'doppler', peer: 'a:1', n: 1 });
});

test('says so when LOG_LEVEL is no level, and uses info', (t) => {
  const { lines, destination } = memory();
  const log = createLogger('doppler', { level: 'loud', destination });
  log.debug({}, 'not written');
  log.info({}, 'written');
  t.deepEqual(
    lines.map((line) => line.msg),
    [
      'LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent; info is used',
      'written',
    ],
  );
});

test('writes a limited line once, and shares its limit with its children', (t) => {
  const { lines, destination } = memory();
  const log = createLogger('doppler', { level: 'info', destination });
  log.limited('full', 'warn', {}, 'a queue is full');
  log.limited('full', 'warn', {}, 'a queue is full');
  log.child({ peer: 'a' }).limited('full', 'warn', {}, 'a queue is full');
  log.limited('gone', 'error', {}, 'a peer is gone');
  t.deepEqual(
    lines.map((line) => line.msg),
    ['a queue is full', 'a peer is gone'],
  );
});

test('admits one line of a kind in ten seconds, and tells how many it left out', (t) => {
  let now = 5000;
  const limiter = new Limiter(() => now);
  t.is(limiter.admit('full'), 0);
  t.is(limiter.admit('full'), undefined);
  t.is(limiter.admit('full'), undefined);
  t.is(limiter.admit('other'), 0);
  now += LOG_INTERVAL_MS;
  t.is(limiter.admit('full'), 2);
  t.is(limiter.admit('full'), undefined);
  now += LOG_INTERVAL_MS;
  t.is(limiter.admit('full'), 1);
});

test('keeps a limited number of kinds', (t) => {
  const limiter = new Limiter(() => 0);
  let admitted = 0;
  for (let kind = 0; kind < 5000; kind += 1) {
    if (limiter.admit(`kind ${kind}`) !== undefined) admitted += 1;
  }
  t.is(admitted, 1001, 'a thousand kinds, and one for all others');
});

function memory(): {
  lines: Record<string, unknown>[];
  destination: { write(line: string): void };
} {
  const lines: Record<string, unknown>[] = [];
  return { lines, destination: { write: (line) => void lines.push(JSON.parse(line)) } };
}
