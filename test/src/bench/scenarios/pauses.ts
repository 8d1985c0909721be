/**
 * How long a Doppler's event loop stands still at most, for whatever is asked of its log cache
 * meanwhile: 100,000 envelopes a second come in, it knows 100,000 sources, and keeps a journal.
 *
 * Each question is asked again as soon as it is answered. On a machine that is shared, the time that
 * the process itself computed without a turn is what tells.
 */

import { existsSync } from 'node:fs';
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { dial, readTls } from '@standpipe/plumbing';
import { ingressService, nowNanoseconds } from '@standpipe/protos';
import { encodeBatch, longOf, randomFrom } from '@standpipe/protos/testing';
import type { ManagedProcess } from '../../process.ts';
import { type Flow, measure, warmUp } from '../flow.ts';
import { load, measured, reader } from '../flows.ts';
import { type Figures, figuresOf, type Scenario } from '../scenario.ts';
import { peerOf, type Stage } from '../stage.ts';
import { type Shape, sourceOf } from '../worker.ts';

const RATE = { lean: 100_000, cf: 50_000 };
const SOURCES = 100_000;
const PER_MESSAGE = 1000;
const CACHE_BYTES = 256 * 2 ** 20;
const LONG_LINES = 16;
const LONG_BYTES = 60 * 1024;
const FIRST_LETTER = 97;
const META = '/logcache.v1.Egress/Meta';

type Ask = () => Promise<unknown>;

export const pauses: Scenario = {
  name: 'pauses',
  about: 'pauses of the event loop, for each question to the log cache',
  shapes: ['lean'],
  async play({ stage, shape, seconds, rateFactor }) {
    const asked = RATE[shape] * rateFactor;
    const watch = join(stage.folder, 'pauses.json');
    const { doppler, flow } = await start(stage, { shape, watch });
    await warmUp(flow, asked);
    const figures: Figures[] = [];
    for (const [detail, ask] of questions(stage, doppler)) {
      await begin(watch);
      const ending = new AbortController();
      const answers = again(ask, ending.signal);
      const usage = await measure(flow, { perSecond: asked, seconds });
      ending.abort();
      const answered = await answers;
      const { longestMs, longestCpuMs } = await end(watch);
      const further = { answers: answered, 'longest ms': longestMs, 'of CPU': longestCpuMs };
      figures.push(figuresOf({ shape, detail, asked, usage, further }));
    }
    return figures;
  },
};

/** A Doppler that knows all sources, and a load of few. */
async function start(
  stage: Stage,
  { shape, watch }: { readonly shape: Shape; readonly watch: string },
): Promise<{ readonly doppler: ManagedProcess; readonly flow: Flow }> {
  const module = new URL(`../pauses.js?file=${pathToFileURL(watch).pathname}`, import.meta.url);
  const started = await stage.start({
    names: ['doppler az1/0'],
    nodeOptions: () => ['--import', module.href],
    settings: {
      MEMORY_LIMIT_BYTES: String(CACHE_BYTES),
      LOG_CACHE_DATA_DIR: join(stage.folder, 'data'),
      LOG_CACHE_JOURNAL: 'true',
    },
  });
  const doppler = started('doppler az1/0');
  const peers = [peerOf(doppler, 'doppler')];
  const outlet = await reader(stage, peers);
  const processes = measured([doppler]);
  const all = await load(stage, peers, { shape, sources: SOURCES, perMessage: PER_MESSAGE });
  await warmUp({ outlet, processes, feed: all }, SOURCES / 2, 2);
  await sendLong(stage, doppler);
  return { doppler, flow: { outlet, processes, feed: await load(stage, peers, { shape }) } };
}

/** Lines that are as long as an agent takes, of letters at random, for which an expression needs longest. */
async function sendLong(stage: Stage, doppler: ManagedProcess): Promise<void> {
  const random = randomFrom(1);
  const payload = Buffer.from(Array.from({ length: LONG_BYTES }, () => FIRST_LETTER + random(26)));
  const now = nowNanoseconds();
  const batch = encodeBatch(
    Array.from({ length: LONG_LINES }, (_, line) => {
      return { source_id: 'long', timestamp: longOf(now + BigInt(line)), log: { payload } };
    }),
  );
  const client = dial({ ...peerOf(doppler, 'doppler'), tls: readTls(stage.tls()) });
  const { path, requestSerialize, responseDeserialize } = ingressService.send;
  await new Promise<void>((resolve, reject) => {
    const answer = (error: Error | null): void => (error ? reject(error) : resolve());
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, batch, answer);
  });
  client.close();
}

function questions(stage: Stage, doppler: ManagedProcess): [string, Ask][] {
  const get = (path: string) => async (): Promise<void> => {
    const response = await fetch(`http://${doppler.address('http')}/api/v1/${path}`);
    await response.arrayBuffer();
  };
  const long = encodeURIComponent('[ab].{60}[XY]');
  const rates = encodeURIComponent('sum(rate(log_lines_total[1m]))');
  const client = dial({ ...peerOf(doppler, 'doppler'), tls: readTls(stage.tls()) });
  const grpcMeta = (): Promise<unknown> =>
    new Promise((resolve) => {
      const same = (bytes: Buffer): Buffer => bytes;
      client.makeUnaryRequest(META, same, same, Buffer.alloc(0), resolve);
    });
  return [
    ['nothing', () => sleep(100)],
    ['reads of 1000', get(`read/${sourceOf(0)}?limit=1000&descending=true`)],
    ['searches', get(`read/${sourceOf(0)}?matches=${encodeURIComponent('nothing\\d\\d')}`)],
    ['long matches', get(`read/long?matches=${long}`)],
    ['meta', get('meta')],
    ['meta over gRPC', grpcMeta],
    ['a query over all sources', get('query?query=count(log_lines_total)')],
    ['a query for all series', get('query?query=log_lines_total')],
    ['rates of all sources', get(`query?query=${rates}`)],
  ];
}

/** Asks again and again; returns how often there was an answer. */
async function again(ask: Ask, signal: AbortSignal): Promise<number> {
  let answers = 0;
  while (!signal.aborted) {
    await ask();
    answers += 1;
  }
  return answers;
}

/** Lets the watch begin anew. */
async function begin(watch: string): Promise<void> {
  await rm(watch, { force: true });
  while (!existsSync(watch)) await sleep(50);
}

/** What the watch has seen, the last second too. */
async function end(watch: string): Promise<{ longestMs: number; longestCpuMs: number }> {
  const { mtimeMs } = await stat(watch);
  while ((await stat(watch)).mtimeMs === mtimeMs) await sleep(50);
  return JSON.parse(await readFile(watch, 'utf8')); // As the watch wrote it.
}
