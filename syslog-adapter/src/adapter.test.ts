import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GrpcListener, listenGrpc, readTls } from '@standpipe/plumbing';
import { eventually, type SpyLog, spyLog, testTls } from '@standpipe/plumbing/testing';
import { ingressService, loggregator } from '@standpipe/protos';
import { numberedLog } from '@standpipe/protos/testing';
import test, { type ExecutionContext } from 'ava';
import { type SyslogAdapter, startAdapter } from './adapter.ts';
import { FakeProxy, SyslogServer } from './testing.ts';

const APP = '33333333-3333-3333-3333-333333333333';
const OTHER = '44444444-4444-4444-4444-444444444444';

test('writes each line of an app to its drain exactly once, in order', async (t) => {
  const { proxy, servers, count } = await started(t, [[APP]]);
  const [server] = servers;
  proxy.sendLines(APP, 0, 1000);
  await eventually(() => server.messages.length === 1000);
  t.deepEqual(server.numbers, range(0, 1000));
  t.is(server.connections, 1);
  t.is(
    server.messages[7],
    `<14>1 2023-11-14T22:13:20+00:00 a.b.c ${APP} [APP/PROC/WEB/0] - [tags@47450 source_type="APP/PROC/WEB"] line 7\n`,
  );
  t.is(await count('ingress', 'agent'), 1000);
  t.is(await count('egress', server.url), 1000);
  t.is(await count('dropped'), 0);
});

test('asks the proxy for what the drains want and nothing else, in one stream', async (t) => {
  const { proxy } = await started(t, [
    [APP],
    [`${OTHER}?drain-data=all`],
    [`${APP}?drain-type=metrics`],
  ]);
  t.is(proxy.requests.length, 1);
  const [request] = proxy.requests;
  t.true(request?.use_preferred_tags);
  t.is(request?.shard_id, 'syslog-adapter');
  const selectors = (request?.selectors ?? []).map((selector) => {
    const kind = ['log', 'counter', 'gauge', 'timer', 'event'].find(
      (name) => selector[name as 'log'] != null,
    );
    return `${kind} ${selector.source_id?.slice(0, 1)}`;
  });
  t.deepEqual(selectors.sort(), [
    ...['counter 3', 'counter 4', 'event 3', 'event 4', 'gauge 3', 'gauge 4'],
    ...['log 3', 'log 4', 'timer 4'],
  ]);
});

test('gives each drain of an app the kinds that it wants', async (t) => {
  const { proxy, servers, count } = await started(t, [[APP], [`${APP}?drain-type=metrics`]]);
  const [logs, metrics] = servers as [SyslogServer, SyslogServer];
  const unwanted = proxy.send([
    numberedLog(APP, 1),
    { source_id: APP, counter: { name: 'requests', total: 5 } },
    { source_id: APP, timer: { name: 'http' } },
    { source_id: APP, event: { title: 'crashed' } },
    { source_id: APP, gauge: { metrics: { cpu: { value: 1 }, memory: { value: 2 } } } },
  ]);
  t.is(unwanted, 1, 'timers are not even asked for');
  await eventually(() => logs.messages.length === 2 && metrics.messages.length === 3);
  t.true(logs.messages.join('').includes('event@47450'));
  t.true(metrics.messages.join('').includes('counter@47450'));
  t.is(await count('ingress', 'all_drains'), 8);
});

test('skips an envelope that cannot be sent, and counts it', async (t) => {
  const { proxy, servers, count } = await started(t, [[APP]]);
  const bad = { ...numberedLog(APP, 1), tags: { 'a b': 'c' } };
  proxy.send([numberedLog(APP, 0), bad, numberedLog(APP, 2)]);
  await eventually(() => servers[0].messages.length === 2);
  t.deepEqual(servers[0].numbers, [0, 2]);
  t.is(await count('unsendable'), 1);
});

test('a drain that hangs up gets every line, each once, over a new connection', async (t) => {
  const { proxy, servers } = await started(t, [[APP]]);
  const [server] = servers;
  for (let round = 0; round < 3; round += 1) {
    proxy.sendLines(APP, round * 100, round * 100 + 100);
    await eventually(() => server.messages.length === round * 100 + 100);
    server.hangUp();
    await eventually(() => server.sockets.size === 0);
  }
  t.deepEqual(server.numbers, range(0, 300));
  t.is(server.connections, 3);
});

test('a drain that dies and returns gets what waited for it, and no other drain waits', async (t) => {
  const { proxy, servers, log } = await started(t, [[APP], [OTHER]]);
  const [mortal, other] = servers as [SyslogServer, SyslogServer];
  proxy.sendLines(APP, 0, 10);
  await eventually(() => mortal.messages.length === 10);
  const { port } = mortal;
  await mortal[Symbol.asyncDispose]();

  proxy.sendLines(APP, 10, 500);
  proxy.sendLines(OTHER, 0, 500);
  await eventually(() => other.messages.length === 500);
  await eventually(() => log.lines.some(({ text }) => text.startsWith('a drain is away')));

  const returned = await SyslogServer.listen(port);
  t.teardown(() => returned[Symbol.asyncDispose]());
  await eventually(() => returned.messages.length === 490);
  t.deepEqual(returned.numbers, range(10, 500));
  t.is(log.lines.filter(({ text }) => text.startsWith('a drain is away')).length, 1);
  t.true(log.lines.some(({ text }) => text === 'a drain is back'));
});

test('a drain that stalls loses exactly the oldest, counted, and its app is told', async (t) => {
  const agent = await FakeAgent.listen(t);
  const total = 60_000;
  const { proxy, servers, count } = await started(t, [[APP]], {
    bufferSize: 500,
    agentAddress: agent.address,
    reading: false,
  });
  const [server] = servers;
  for (let from = 0; from < total; from += 1000) {
    proxy.sendLines(APP, from, from + 1000);
    await eventually(async () => (await count('ingress', 'agent')) === from + 1000);
  }
  const dropped = await count('dropped');
  t.true(dropped > 0, 'the kernel took everything');

  server.resume();
  await eventually(async () => (await count('egress', server.url)) + dropped === total);
  await eventually(() => server.messages.length === total - dropped);
  t.is(await count('messages_dropped_per_drain', server.url), dropped);

  // What came begins with the first and ends with as many of the newest as may wait; what is missing
  // between was the oldest whenever the kernel took no more.
  const { numbers } = server;
  t.true(numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0)));
  t.is(numbers[0], 0);
  t.deepEqual(numbers.slice(-400), range(total - 400, total));

  await eventually(() => agent.notices.length > 0);
  const [notice] = agent.notices;
  t.is(notice?.source_id, APP);
  t.is(notice?.log?.type, loggregator.v2.Log.Type.ERR);
  t.deepEqual(notice?.tags, { source_type: 'LGR' });
  const pattern = new RegExp(
    `^(\\d+) messages lost for application ${APP} in user provided syslog drain with url syslog://127.0.0.1:`,
  );
  await eventually(() => sumOf(agent.notices, pattern) === dropped);
});

test('bindings that are added disturb no stream; those that are taken away are replaced', async (t) => {
  const { proxy, servers, bind } = await started(t, [[APP]]);
  const [server] = servers;
  await bind([APP, server], [OTHER, server]);
  await eventually(() => proxy.requests.length === 2);
  t.is(proxy.readers.length, 2);
  proxy.sendLines(APP, 0, 50);
  proxy.sendLines(OTHER, 50, 100);
  await eventually(() => server.messages.length === 100);

  await bind([OTHER, server]);
  await eventually(() => proxy.readers.length === 1);
  t.is(proxy.send([numberedLog(APP, 0)]), 1, 'nobody asks for the app any more');
  proxy.sendLines(OTHER, 100, 150);
  await eventually(() => server.messages.length === 150);
});

test('while a stream is replaced no line is missed and none comes twice', async (t) => {
  const { proxy, servers, bind } = await started(t, [[APP], [OTHER]]);
  const [first] = servers as [SyslogServer, SyslogServer];
  await bind([APP, first]);
  let sent = 0;
  await eventually(() => {
    if (proxy.requests.length < 2) {
      proxy.sendLines(APP, sent, sent + 10);
      sent += 10;
    }
    return proxy.requests.length === 2 && proxy.readers.length === 1;
  });
  proxy.sendLines(APP, sent, sent + 10);
  await eventually(() => first.numbers.includes(sent + 9));
  const numbers = first.numbers.toSorted((a, b) => a - b);
  // What was on its way in the old stream when it was closed may be missing, nothing else.
  t.deepEqual(numbers, [...new Set(numbers)]);
  t.true(numbers.length >= sent + 10 - 10);
});

test('a drain that is unbound is written what waits for it, and is then closed', async (t) => {
  const { proxy, servers, bind } = await started(t, [[APP]]);
  const [server] = servers;
  proxy.sendLines(APP, 0, 100);
  await eventually(() => server.messages.length > 0);
  await bind();
  await eventually(() => server.sockets.size === 0);
  t.deepEqual(server.numbers, range(0, 100));
});

test('a proxy that dies and returns is read again', async (t) => {
  const { proxy, servers, tls } = await started(t, [[APP]]);
  const [server] = servers;
  const { address } = proxy;
  await proxy[Symbol.asyncDispose]();
  const returned = await FakeProxy.listen(tls.reverselogproxy, address);
  t.teardown(() => returned[Symbol.asyncDispose]());
  await eventually(() => returned.readers.length === 1);
  returned.sendLines(APP, 0, 100);
  await eventually(() => server.messages.length === 100);
  t.deepEqual(server.numbers, range(0, 100));
});

test('a batch that cannot be read is counted, and the next one is served', async (t) => {
  const { proxy, servers, count } = await started(t, [[APP]]);
  proxy.readers[0]?.call.write(Buffer.from([0x0a, 0x05, 0x01]));
  proxy.sendLines(APP, 0, 10);
  await eventually(() => servers[0].messages.length === 10);
  t.is(await count('malformed'), 1);
});

test('when it ends, drains are written what waits for them', async (t) => {
  const { adapter, proxy, servers, count } = await started(t, [[APP]]);
  proxy.sendLines(APP, 0, 5000);
  await eventually(async () => (await count('ingress', 'agent')) === 5000);
  await adapter[Symbol.asyncDispose]();
  await eventually(() => servers[0].sockets.size === 0);
  t.deepEqual(servers[0].numbers, range(0, 5000));
});

interface Started {
  readonly adapter: SyslogAdapter;
  readonly proxy: FakeProxy;
  readonly servers: [SyslogServer, ...SyslogServer[]];
  readonly log: SpyLog;
  readonly tls: Awaited<ReturnType<typeof certificates>>;
  /** The sum of a metric's series, or of those that have this label. */
  count(name: string, label?: string): Promise<number>;
  /** Writes other bindings: apps with their servers. */
  bind(...bindings: readonly (readonly [string, SyslogServer])[]): Promise<void>;
}

/** An adapter with a server for each of the bindings, `APP?query`. */
async function started(
  t: ExecutionContext,
  bindings: readonly (readonly [string])[],
  options: { bufferSize?: number; agentAddress?: string; reading?: boolean } = {},
): Promise<Started> {
  const tls = await certificates();
  const proxy = await FakeProxy.listen(tls.reverselogproxy);
  const servers = await Promise.all(bindings.map(() => SyslogServer.listen()));
  for (const server of servers) server.isReading = options.reading ?? true;
  const folder = await mkdtemp(join(tmpdir(), 'adapter-'));
  const bindingsFile = join(folder, 'bindings.json');
  const bind: Started['bind'] = async (...pairs) => {
    const entries = pairs.map(([binding, { url }]) => {
      const [appId, query] = binding.split('?');
      return { url: query ? `${url}?${query}` : url, app_id: appId, hostname: 'a.b.c' };
    });
    await writeFile(bindingsFile, JSON.stringify(entries));
  };
  await bind(
    ...bindings.map(([binding], index) => [binding, servers[index] as SyslogServer] as const),
  );

  const log = spyLog();
  const adapter = await startAdapter(
    {
      rlpAddress: proxy.address,
      tls: tls.syslogadapter,
      bindingsFile,
      shardId: 'syslog-adapter',
      agentAddress: options.agentAddress ?? '',
      bindingsPerApp: 5,
      idleMs: 60_000,
      metadata: true,
      bufferSize: options.bufferSize ?? 10_000,
      observability: { metricsPort: 0, statsdAddress: '', metricsIntervalMs: 60_000 },
    },
    log,
  );
  t.teardown(async () => {
    await adapter[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
    for (const server of servers) await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  await eventually(() => proxy.readers.length > 0);
  const count: Started['count'] = async (name, label) => {
    let sum = 0;
    for (const series of adapter.metrics.series()) {
      const fits = label === undefined || Object.values(series.labels).includes(label);
      if (series.name === name && fits) sum += series.value;
    }
    return sum;
  };
  return { adapter, proxy, servers: servers as Started['servers'], log, tls, count, bind };
}

function certificates() {
  return testTls('reverselogproxy', 'syslogadapter', 'metron');
}

/** An agent that notes what `Send` brings. */
class FakeAgent {
  readonly notices: loggregator.v2.IEnvelope[] = [];
  readonly #listener: GrpcListener;

  private constructor(listener: GrpcListener) {
    this.#listener = listener;
  }

  static async listen(t: ExecutionContext): Promise<FakeAgent> {
    const { metron } = await certificates();
    let agent: FakeAgent | undefined;
    const send = (
      call: { readonly request: Buffer },
      answer: (error: null, response: Buffer) => void,
    ): void => {
      const { batch } = loggregator.v2.EnvelopeBatch.decode(call.request);
      agent?.notices.push(...(batch ?? []));
      answer(null, Buffer.alloc(0));
    };
    const listener = await listenGrpc({
      address: '127.0.0.1:0',
      tls: readTls(metron),
      services: [{ definition: ingressService, implementation: { send } }],
      log: spyLog(),
    });
    t.teardown(() => listener[Symbol.asyncDispose]());
    agent = new FakeAgent(listener);
    return agent;
  }

  get address(): string {
    return this.#listener.address;
  }
}

function sumOf(notices: readonly loggregator.v2.IEnvelope[], pattern: RegExp): number {
  let sum = 0;
  for (const { log } of notices) {
    sum += Number(pattern.exec(Buffer.from(log?.payload ?? []).toString())?.[1]);
  }
  return sum;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
