import http from 'node:http';
import { connect } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { Metrics } from './metrics.ts';
import { observability } from './observability.ts';
import { type PprofListener, servePprof } from './pprof.ts';
import { eventually, type SpyLog, spyLog } from './testing.ts';

test('gives a CPU profile of so many seconds, to be kept in a file', async (t) => {
  const { url } = await serving(t);
  const answer = await fetch(`${url}/debug/pprof/profile?seconds=1`);
  t.is(answer.status, 200);
  t.regex(
    answer.headers.get('content-disposition') ?? '',
    /^attachment; filename=".*\.cpuprofile"/,
  );
  const profile = (await answer.json()) as {
    readonly nodes: readonly unknown[];
    readonly samples: readonly number[];
    readonly startTime: number;
    readonly endTime: number;
  };
  t.true(profile.nodes.length > 0);
  t.is(profile.samples.length > 0, true);
  t.true(profile.endTime - profile.startTime >= 1_000_000, 'in microseconds');
});

test('gives a heap snapshot, to be kept in a file', async (t) => {
  const { url } = await serving(t);
  const answer = await fetch(`${url}/debug/pprof/heap`);
  t.is(answer.status, 200);
  t.regex(answer.headers.get('content-disposition') ?? '', /\.heapsnapshot"/);
  const { snapshot } = (await answer.json()) as { snapshot: { node_count: number } };
  t.true(snapshot.node_count > 1000);
});

test('says at /debug/pprof/ what there is', async (t) => {
  const { url } = await serving(t);
  for (const path of ['/debug/pprof/', '/debug/pprof']) {
    const answer = await fetch(url + path);
    t.is(answer.headers.get('content-type'), 'text/plain; charset=utf-8');
    t.regex(await answer.text(), /profile\?seconds=N[\s\S]*\/debug\/pprof\/heap/);
  }
  t.is((await fetch(`${url}/debug/pprof/goroutine`)).status, 404);
});

for (const seconds of ['0', '301', '-1', '1.5', 'x', '', '1&seconds=2']) {
  test(`refuses to profile for '${seconds}' seconds`, async (t) => {
    const { url } = await serving(t);
    const answer = await fetch(`${url}/debug/pprof/profile?seconds=${seconds}`);
    t.is(answer.status, 400);
    const error = 'seconds must be a whole number from 1 to 300';
    t.deepEqual(await answer.json(), { error });
  });
}

test('takes one at a time, and another once a client has left', async (t) => {
  const { url, log } = await serving(t);
  const first = http.get(`${url}/debug/pprof/profile?seconds=300`);
  first.on('error', () => undefined); // It leaves.
  await eventually(() => log.lines.length === 1);
  for (const path of ['profile?seconds=1', 'heap']) {
    const second = await fetch(`${url}/debug/pprof/${path}`);
    t.is(second.status, 429);
    const error = 'a CPU profile is being taken, and only one can be at a time';
    t.deepEqual(await second.json(), { error });
  }
  first.destroy();
  const third = await eventually(async () => {
    const answer = await fetch(`${url}/debug/pprof/profile?seconds=1`);
    return answer.status === 200 && answer;
  });
  t.true((await third.text()).startsWith('{'));
});

test('gives what it has when the process drains', async (t) => {
  const { url, log, listener } = await serving(t);
  const answer = fetch(`${url}/debug/pprof/profile?seconds=300`);
  await eventually(() => log.lines.length === 1);
  await listener[Symbol.asyncDispose]();
  t.is((await answer).status, 200);
});

test('stops the start when its port is in use, and leaves nothing open', async (t) => {
  const { listener, log } = await serving(t);
  const config = {
    metricsPort: 0,
    pprofPort: listener.port,
    statsdAddress: '',
    metricsIntervalMs: 1000,
  };
  await t.throwsAsync(observability(config, new Metrics({ origin: 'doppler' }), log), {
    message: `cannot listen on 127.0.0.1:${listener.port}: the port is in use (EADDRINUSE)`,
  });
});

test('listens for this machine only', async (t) => {
  const { listener } = await serving(t);
  const socket = connect(listener.port, '127.0.0.2');
  t.teardown(() => socket.destroy());
  const failed = await new Promise((resolve) => {
    socket.once('connect', () => resolve(false)).once('error', () => resolve(true));
  });
  t.true(failed);
});

async function serving(
  t: ExecutionContext,
): Promise<{ url: string; log: SpyLog; listener: PprofListener }> {
  const log = spyLog();
  const listener = await servePprof({ port: 0, log });
  t.teardown(() => listener[Symbol.asyncDispose]());
  return { url: `http://127.0.0.1:${listener.port}`, log, listener };
}
