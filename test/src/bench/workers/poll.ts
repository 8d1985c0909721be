/**
 * Readers of the log cache's REST API: each asks for the newest lines of one source, as often as it
 * is told, and waits for each answer. The time of an answer counts from when it was asked for; from
 * when that was due, if the answer before was so late that it could not be asked for in time.
 *
 * The readers do as little as they can, lest their own work be part of what is measured: each has a
 * socket of its own, and of an answer the length and the number of envelopes are looked at.
 */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createHistogram } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { giveHeapRoom } from '@standpipe/plumbing';
import { type PollCommand, type PollOptions, type Report, sourceOf } from '../worker.ts';
import { optionsOf, serve } from './serve.ts';

const HEAD_END = '\r\n\r\n';
const ENVELOPE = '"timestamp"';

const { address, sources, readers, limit } = optionsOf<PollOptions>();
giveHeapRoom();

serve<PollCommand>(async (command): Promise<Report> => {
  const histogram = createHistogram();
  let reads = 0;
  const one = async (socket: Socket, index: number): Promise<void> => {
    const startedAt = performance.now() + (command.everyMs * index) / readers;
    const until = performance.now() + command.seconds * 1000;
    for (let due = startedAt; due < until; due += command.everyMs) {
      const isLate = performance.now() > due;
      if (!isLate) await sleep(due - performance.now());
      const from = isLate ? due : performance.now();
      await read(socket, sourceOf(index % sources));
      histogram.record(Math.max(1, Math.round((performance.now() - from) * 1000)));
      reads += 1;
    }
  };
  const sockets = await Promise.all(Array.from({ length: readers }, open));
  await Promise.all(sockets.map(one));
  for (const socket of sockets) socket.destroy();
  return {
    envelopes: reads * limit,
    p50Ms: histogram.percentile(50) / 1000,
    p99Ms: histogram.percentile(99) / 1000,
  };
});

async function open(): Promise<Socket> {
  const [host, port] = address.split(':');
  const socket = connect(Number(port), host);
  socket.setNoDelay(true);
  await once(socket, 'connect');
  return socket;
}

/** Reads one source; an answer with fewer envelopes than were asked for is a mistake. */
async function read(socket: Socket, source: string): Promise<void> {
  const path = `/api/v1/read/${source}?limit=${limit}&descending=true`;
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${address}\r\n\r\n`);
  const chunks: Buffer[] = [];
  let wanted = Number.POSITIVE_INFINITY;
  for (let had = 0; had < wanted; ) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]; // No encoding is set.
    chunks.push(chunk);
    had += chunk.length;
    if (!Number.isFinite(wanted)) wanted = lengthOf(Buffer.concat(chunks));
  }
  const answer = Buffer.concat(chunks);
  let found = 0;
  for (let at = answer.indexOf(ENVELOPE); at >= 0; at = answer.indexOf(ENVELOPE, at + 1))
    found += 1;
  if (found !== limit)
    throw new Error(`${path} answered with ${found} envelopes: ${answer.subarray(0, 200)}`);
}

/** How long an answer is with its head; infinite, as long as the head is not there. */
function lengthOf(answer: Buffer): number {
  const end = answer.indexOf(HEAD_END);
  if (end < 0) return Number.POSITIVE_INFINITY;
  const [, length] = /content-length: (\d+)/i.exec(answer.toString('latin1', 0, end)) ?? [];
  if (length === undefined)
    throw new Error(`an answer does not say how long it is: ${answer.subarray(0, 600)}`);
  return end + HEAD_END.length + Number(length);
}
