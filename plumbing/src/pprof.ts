/**
 * Profiles of a running process on 127.0.0.1, under the paths where Go's programs have them, in
 * V8's own formats: a CPU profile and a heap snapshot.
 *
 * One is taken at a time, for both weigh on the process: a CPU profile takes a few per cent of it
 * while it lasts, and a snapshot stops it for about a second for each 100 MB of heap. A snapshot is
 * written to a temporary file and sent from there, since in memory it would be larger than the heap.
 * It is plain HTTP and has no access control, so it listens nowhere else.
 */

import type { ReadStream } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { Session } from 'node:inspector/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeHeapSnapshot } from 'node:v8';
import type { Context } from 'koa';
import Router from 'koa-router';
import { systemClock } from './clock.ts';
import { type HttpListener, listenHttp } from './http.ts';
import { koaApp } from './koa-app.ts';
import type { Log } from './log.ts';

const DRAIN_MS = 500;
const CONNECTIONS_MAX = 20;
const SEND_IDLE_MS = 60_000;
const SECONDS_DEFAULT = 30;
const SECONDS_MAX = 300;

const INDEX = `/debug/pprof/profile?seconds=N  a CPU profile (.cpuprofile), of 1 to ${SECONDS_MAX} seconds, ${SECONDS_DEFAULT} if not said
/debug/pprof/heap               a heap snapshot (.heapsnapshot)

Both open in the developer tools of Chrome and in Visual Studio Code.
`;

export interface PprofListener extends AsyncDisposable {
  readonly port: number;
}

export async function servePprof(options: {
  readonly port: number;
  readonly log: Log;
}): Promise<PprofListener> {
  const { log } = options;
  const turn = new Turn();
  const router = new Router();
  router.get(['/debug/pprof', '/debug/pprof/'], (ctx) => {
    ctx.type = 'text/plain; charset=utf-8';
    ctx.body = INDEX;
  });
  router.get('/debug/pprof/profile', async (ctx) => {
    const seconds = secondsOf(ctx);
    using _turn = turn.take('a CPU profile', ctx);
    log.info({ seconds }, 'a CPU profile is being taken');
    const profile = await cpuProfile(
      seconds * 1000,
      AbortSignal.any([goneSignal(ctx), listener.draining]),
    );
    answerWith(ctx, 'cpuprofile', JSON.stringify(profile));
  });
  router.get('/debug/pprof/heap', async (ctx) => {
    using _turn = turn.take('a heap snapshot', ctx);
    log.info({}, 'a heap snapshot is being taken');
    answerWith(ctx, 'heapsnapshot', await heapSnapshot());
  });

  const app = koaApp(log);
  app.use(router.routes()).use(router.allowedMethods());
  const listener: HttpListener = await listenHttp({
    address: `127.0.0.1:${options.port}`,
    app,
    log,
    kind: 'pprof',
    drainMs: DRAIN_MS,
    maxConnections: CONNECTIONS_MAX,
  });
  return listener;
}

/** One at a time; whoever comes meanwhile is told so. */
class Turn {
  #taken: string | undefined;

  take(what: string, ctx: Context): Disposable {
    if (this.#taken !== undefined) {
      ctx.throw(429, `${this.#taken} is being taken, and only one can be at a time`);
    }
    this.#taken = what;
    return {
      [Symbol.dispose]: () => {
        this.#taken = undefined;
      },
    };
  }
}

function secondsOf(ctx: Context): number {
  const { seconds = String(SECONDS_DEFAULT) } = ctx.query;
  const wanted = typeof seconds === 'string' && /^\d{1,3}$/.test(seconds) ? Number(seconds) : 0;
  if (wanted < 1 || wanted > SECONDS_MAX) {
    ctx.throw(400, `seconds must be a whole number from 1 to ${SECONDS_MAX}`);
  }
  return wanted;
}

/** Aborted when the client leaves. */
function goneSignal(ctx: Context): AbortSignal {
  const gone = new AbortController();
  ctx.res.once('close', () => gone.abort());
  return gone.signal;
}

/** What the process does for so long, or until it is told to stop. */
async function cpuProfile(ms: number, stop: AbortSignal): Promise<unknown> {
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    await systemClock.sleep(ms, stop);
    const { profile } = await session.post('Profiler.stop');
    return profile;
  } finally {
    session.disconnect();
  }
}

/** The heap as it is now, from a file that is gone once it has been read. */
async function heapSnapshot(): Promise<ReadStream> {
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-heap-')); // For this user only.
  try {
    const handle = await open(writeHeapSnapshot(join(folder, 'heap')));
    return handle.createReadStream();
  } finally {
    await rm(folder, { recursive: true });
  }
}

function answerWith(ctx: Context, format: string, body: string | ReadStream): void {
  ctx.attachment(`standpipe-${process.pid}-${Date.now()}.${format}`);
  ctx.type = 'application/json';
  ctx.socket.setTimeout(SEND_IDLE_MS); // A client that takes no more is hung up on.
  ctx.body = body;
}
