/**
 * Loaded into a process under test before its own module (`node --import …?file=PATH`): counts how
 * often its event loop stood still for more than 50 ms, and writes it to the file each second.
 *
 * It shows in a timer of 10 ms that comes late. Since the last writing nothing is lost but a second.
 * Who takes the file away begins anew: what is in the next one is younger.
 */

import { existsSync, writeFileSync } from 'node:fs';

const TICK_MS = 10;
const PAUSE_MS = 50;
const WRITE_EVERY_MS = 1000;

const file = new URL(import.meta.url).searchParams.get('file') ?? '';
let count = 0;
let longestMs = 0;
let tickedAt = performance.now();
let writtenAt = Number.NEGATIVE_INFINITY;

setInterval(() => {
  const now = performance.now();
  const lateMs = now - tickedAt - TICK_MS;
  tickedAt = now;
  if (lateMs > PAUSE_MS) count += 1;
  longestMs = Math.max(longestMs, lateMs);
  if (now - writtenAt < WRITE_EVERY_MS) return;
  writtenAt = now;
  if (!existsSync(file)) [count, longestMs] = [0, 0];
  writeFileSync(file, JSON.stringify({ count, longestMs }));
}, TICK_MS).unref();
