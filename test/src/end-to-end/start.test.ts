/** `npm start` as a person types it: its table, what its commands show, and how it ends. */

import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { eventually } from '@standpipe/plumbing/testing';
import test from 'ava';
import { WebSocketReader } from '../clients/readers.ts';
import { localPorts } from '../ports.ts';
import { hasRsyslog } from '../rsyslog.ts';
import { begun, randomOffset, started } from './testing.ts';

const METRICS_PAGE = new URL('../../../docs/metrics.md', import.meta.url);
const STOP_LIMIT_MS = 10_000;

test.serial('starts, shows real data at every exit, and leaves nothing behind', async (t) => {
  const offset = randomOffset();
  const portOf = localPorts(offset);
  const local = await started(t, ['--app', 'mine=echo hello from mine; sleep 300'], offset);
  const front = `http://127.0.0.1:${portOf('traffic-controller')}`;

  const guidOfApp = (name: string): string =>
    new RegExp(`app ${name} +source id (\\S+)`).exec(local.screen())?.[1] ?? '';
  await eventually(async () => (await payloads(front, guidOfApp('shop'))).length >= 5);
  await eventually(async () =>
    (await payloads(front, guidOfApp('mine'))).includes('hello from mine'),
  );

  const wanted = ['doppler', 'metron', 'shop', guidOfApp('shop'), guidOfApp('clock')];
  await eventually(async () => {
    const { meta } = (await json(`${front}/api/v1/meta`)) as { meta: Record<string, object> };
    return wanted.every((source) => source in meta);
  });
  const logs = await eventually(async () => {
    const lines = await payloads(front, 'doppler');
    return lines.some((line) => line.startsWith('grpc bound to: ')) && lines;
  });
  t.true(logs.length > 0, 'the processes’ own logs');

  const nozzle = await WebSocketReader.open(`${front.replace('http', 'ws')}/firehose/x`);
  await eventually(
    () =>
      ['LogMessage', 'ValueMetric', 'ContainerMetric'].every((type) => nozzle.eventTypes.has(type)),
    { timeoutMs: 25_000 },
  );
  nozzle[Symbol.dispose]();
  if (hasRsyslog()) {
    const file = /writes (\S+)/.exec(local.screen())?.[1] ?? '';
    await eventually(async () => (await readFile(file, 'utf8')).includes(guidOfApp('shop')));
  }

  const documented = await readFile(fileURLToPath(METRICS_PAGE), 'utf8');
  for (const [url] of local.screen().matchAll(/http:\S+\/metrics/g)) {
    const names = [...(await text(url)).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    t.deepEqual(
      names.filter((name) => !documented.includes(`\`${name}\``)),
      [],
      url,
    );
  }

  const dopplers = await descendantsOf(local.child.pid ?? 0, 'doppler/dist/main.js');
  t.is(dopplers.length, 2);
  for (const [index, doppler] of dopplers.entries()) {
    process.kill(doppler, 'SIGKILL');
    await eventually(() => local.screen().match(/doppler az\d\/0 is back/g)?.length === index + 1);
  }
  t.regex(local.screen(), /doppler az1\/0 was killed by SIGKILL; starting it again/);
  await eventually(
    async () => (await payloads(front, guidOfApp('mine'))).includes('hello from mine'),
    { what: 'what was said before the Dopplers were killed' },
  );

  const pids = await descendantsOf(local.child.pid ?? 0);
  t.true(pids.length > 12, `${pids.length} processes`);
  const cut = setTimeout(() => local.child.kill('SIGKILL'), STOP_LIMIT_MS);
  const exited = once(local.child, 'exit');
  local.child.kill('SIGINT');
  t.deepEqual(await exited, [0, null], local.screen());
  clearTimeout(cut);
  const left = await eventually(async () => {
    const alive = (await processes()).filter(({ pid }) => pids.includes(pid));
    return alive.length === 0 && { alive };
  });
  t.deepEqual(left.alive, []);
});

test.serial('says which port is in use, and starts nothing', async (t) => {
  const offset = randomOffset();
  const taken = localPorts(offset)('traffic-controller');
  const { createServer } = await import('node:net');
  const server = createServer().listen(taken, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());

  const { child, screen } = begun(t, [], offset);
  t.deepEqual(await once(child, 'exit'), [1, null]);
  t.regex(screen(), new RegExp(`listens on 127\\.0\\.0\\.1, port ${taken}: another pipeline`));
});

test.serial('says what it takes when it is called with something else', async (t) => {
  const { child, screen } = begun(t, ['--app', 'nothing'], 0);
  t.deepEqual(await once(child, 'exit'), [1, null]);
  t.regex(screen(), /--app takes NAME=COMMAND/);
});

async function payloads(front: string, source: string): Promise<string[]> {
  const url = `${front}/api/v1/read/${source}?descending=true&limit=1000&envelope_types=LOG`;
  const { envelopes } = (await json(url)) as {
    envelopes: { batch: { log: { payload: string } }[] };
  };
  return envelopes.batch.map(({ log }) => Buffer.from(log.payload, 'base64').toString());
}

async function json(url: string): Promise<unknown> {
  return JSON.parse(await text(url));
}

async function text(url: string): Promise<string> {
  return (await fetch(url)).text();
}

/** Every process below this one, from /proc; of this module, if one is named. */
async function descendantsOf(pid: number, module = ''): Promise<number[]> {
  const all = await processes();
  const found = new Set([pid]);
  for (let before = 0; before < found.size; ) {
    before = found.size;
    for (const one of all) if (found.has(one.parent)) found.add(one.pid);
  }
  found.delete(pid);
  const commands = await Promise.all(
    [...found].map((one) => readFile(`/proc/${one}/cmdline`, 'utf8').catch(() => '')),
  );
  return [...found].filter((_, index) => commands[index]?.includes(module));
}

async function processes(): Promise<{ pid: number; parent: number }[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(
    names.map((name) => readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')),
  );
  return stats.filter(Boolean).map((stat) => {
    const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { pid: Number.parseInt(stat, 10), parent: Number(parent) };
  });
}
