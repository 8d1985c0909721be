/**
 * Where a process spends its time: what V8's sampling profiler found, summed by what the code is for.
 *
 * Most native code is counted to the function that called it, or to `native: TLS, nghttp2, kernel` when
 * libuv did. What writes to a socket has a name of its own: with the kernel's part, and TLS over it.
 */

import { readdir, readFile } from 'node:fs/promises';

/** A .cpuprofile, as far as it is needed. */
export interface CpuProfile {
  /** Microseconds of the machine's monotonic clock, as all of its processes read it. */
  readonly startTime: number;
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
}

export interface Share {
  readonly part: string;
  /** Of the time that the process was busy. */
  readonly share: number;
}

/** The first part whose pattern fits a frame's url or, in brackets, name takes its samples. */
const PARTS: readonly (readonly [string, RegExp])[] = [
  ['idle', /^\((idle|root)\)$/],
  ['garbage collection', /^\(garbage collector\)$/],
  ['native: TLS, nghttp2, kernel', /^\(program\)$/],
  ['writes to sockets', /^(write(v|Buffer|Utf8String|Latin1String)|send)$/],
  ['grpc-js', /node_modules\/@grpc\//],
  ['gRPC server', /\/plumbing\/dist\/grpc/],
  ['ws', /node_modules\/ws\//],
  ['http2 and sockets', /^node:(internal\/(http2|tls|stream_base|js_stream|dgram)|net|_tls|dgram)/],
  ['streams and events', /^node:(internal\/(streams|event)|stream|events)/],
  ['Buffers', /^node:(internal\/)?buffer/],
  ['timers and promises', /^(node:|runMicrotasks$)/],
  ['log cache', /\/log-cache\/dist\//],
  ['scan, frames, transcoding', /\/protos\/dist\//],
  ['queues and pumps', /\/plumbing\/dist\//],
  ['agent', /\/agents\/dist\//],
  ['router and subscriptions', /\/doppler\/dist\//],
  ['traffic controller', /\/traffic-controller\/dist\//],
  ['syslog adapter', /\/syslog-adapter\/dist\//],
  ['reverse log proxy', /\/reverse-log-proxy\/dist\//],
  ['other', /(?:)/],
];

/** From when till when, on the clock of profiles. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

/** Now, on the clock of profiles. */
export function profileClock(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/**
 * The shares of a part of a profile, the largest first; what is idle is left out, and so are the
 * start, when modules are loaded and code is not yet compiled, and the end, when all is closed.
 */
export function sharesOf(
  { startTime, nodes, samples, timeDeltas }: CpuProfile,
  { from, to }: Window,
): Share[] {
  const partOf = new Map(nodes.map(({ id, callFrame }) => [id, partOfFrame(callFrame)]));
  const micros = new Map<string, number>();
  let at = startTime;
  for (const [index, sample] of samples.entries()) {
    const time = timeDeltas[index] ?? 0;
    at += time;
    if (at <= from || at > to) continue;
    const part = partOf.get(sample) ?? 'other';
    micros.set(part, (micros.get(part) ?? 0) + time);
  }
  micros.delete('idle');
  const busy = [...micros.values()].reduce((total, one) => total + one, 0);
  return [...micros]
    .map(([part, time]) => ({ part, share: busy === 0 ? 0 : time / busy }))
    .toSorted((a, b) => b.share - a.share);
}

function partOfFrame({ functionName, url }: ProfileNode['callFrame']): string {
  const place = url === '' ? functionName : url;
  return PARTS.find(([, pattern]) => pattern.test(place))?.[0] ?? 'other';
}

/** The profile that a process has left in a folder of its own (`node --cpu-prof`). */
export async function readProfile(folder: string): Promise<CpuProfile> {
  const [name] = (await readdir(folder)).filter((file) => file.endsWith('.cpuprofile'));
  if (name === undefined) throw new Error(`there is no profile in ${folder}`);
  return JSON.parse(await readFile(`${folder}/${name}`, 'utf8')) as CpuProfile; // V8's format.
}
