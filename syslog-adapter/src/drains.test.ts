import { Metrics, Rounds, systemClock } from '@standpipe/plumbing';
import { eventually, spyLog } from '@standpipe/plumbing/testing';
import { encodeBatch, numberedLog } from '@standpipe/protos/testing';
import test from 'ava';
import { parseBindings } from './bindings.ts';
import { Drains } from './drains.ts';
import { FrameBuffer } from './framing.ts';
import { adapterMetrics } from './metrics.ts';
import { Rfc5424Writer } from './rfc5424.ts';
import { SyslogServer } from './testing.ts';

test('when too much waits for all drains, the fullest drops its oldest, and counts them', async (t) => {
  const gone = await SyslogServer.listen();
  const { port, url } = gone;
  await gone[Symbol.asyncDispose]();
  const frames = new FrameBuffer();
  const metrics = adapterMetrics(new Metrics({ origin: 'test' }));
  const drains = new Drains(
    {
      frames,
      text: new Rfc5424Writer(frames),
      metrics,
      log: spyLog(),
      clock: systemClock,
      bufferSize: 1_000_000,
      rounds: new Rounds(),
      onLost: () => {},
    },
    { idleMs: 60_000, waitingBytesMax: 1_000_000 },
  );
  const bindings = ['loud', 'quiet'].map((app) => ({ url: `${url}/${app}`, app_id: app }));
  const rules = { perApp: 5, metadata: true };
  drains.bind(parseBindings(JSON.stringify(bindings), rules).drains);

  for (let number = 0; number < 10; number += 1) {
    drains.accept(encodeBatch([numberedLog('quiet', number)]));
  }
  for (let number = 0; number < 20_000; number += 1) {
    drains.accept(encodeBatch([numberedLog('loud', number)]));
  }
  const dropped = metrics.dropped.value;
  t.true(dropped > 10_000, `${dropped}`); // A million bytes are less than 4,000 that wait.
  t.is(metrics.drain(`${url}/loud`).dropped.value, dropped);

  const server = await SyslogServer.listen(port);
  await eventually(() => server.messages.length === 20_010 - dropped);
  await drains.close(5000);
  await server[Symbol.asyncDispose]();
  const loud = server.messages.filter((message) => message.includes(' loud '));
  const last = loud.slice(-1000).map((message) => Number(/ line (\d+)\n$/.exec(message)?.[1]));
  t.deepEqual(
    last,
    Array.from({ length: 1000 }, (_, n) => 19_000 + n),
  );
});

test('a drain that lost all that waited, for the sake of others, goes on with what comes next', async (t) => {
  const server = await SyslogServer.listen();
  const metrics = adapterMetrics(new Metrics({ origin: 'test' }));
  const frames = new FrameBuffer();
  const rounds = new Rounds({ prompt: 0 }); // Everything waits for the end of a round.
  const drains = new Drains(
    {
      frames,
      text: new Rfc5424Writer(frames),
      metrics,
      log: spyLog(),
      clock: systemClock,
      bufferSize: 1000,
      rounds,
      onLost: () => {},
    },
    { idleMs: 60_000, waitingBytesMax: 20_000 },
  );
  const bindings = JSON.stringify([{ url: server.url, app_id: 'app' }]);
  drains.bind(parseBindings(bindings, { perApp: 5, metadata: true }).drains);
  await turn(); // Its loop waits for the queue.

  drains.accept(encodeBatch([numberedLog('app', 0)]));
  await turn(); // Its loop waits for the round.
  const many = Array.from({ length: 100 }, (_, number) => numberedLog('app', 1 + number));
  drains.accept(encodeBatch(many));
  t.is(metrics.dropped.value, 101);
  await new Promise<void>((resolve) => rounds.atEnd(resolve));
  await turn(); // Its loop found nothing.

  drains.accept(encodeBatch([numberedLog('app', 101)]));
  await eventually(() => server.messages.length > 0);
  t.regex(server.messages[0] ?? '', / line 101\n$/);
  await drains.close(5000);
  await server[Symbol.asyncDispose]();
});

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
