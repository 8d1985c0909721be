import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { Arena, bytesOf, classFor, local, NONE, wordsOf } from './arena.ts';

const MIB = 2 ** 20;

test('finds the smallest class that holds a size', (t) => {
  t.deepEqual([1, 256, 257, 1024, 1025, 4 * MIB].map(classFor), [0, 0, 1, 1, 2, 7]);
});

test('gives as many blocks as the budget has room for, and then none', (t) => {
  const arena = new Arena(MIB);
  let taken = 0;
  while (arena.take(0) !== NONE) taken += 1;
  t.is(taken * bytesOf(0), MIB);
  t.is(arena.usedBytes, MIB);
  t.is(arena.take(3), NONE);
});

test('makes large blocks of small ones that were given back', (t) => {
  const arena = new Arena(MIB);
  const blocks: number[] = [];
  for (let block = arena.take(0); block !== NONE; block = arena.take(0)) blocks.push(block);
  for (const block of blocks) arena.release(block, 0);
  t.is(arena.usedBytes, 0);
  let slabs = 0;
  while (arena.take(arena.classMax) !== NONE) slabs += 1;
  t.is(slabs * bytesOf(arena.classMax), MIB);
});

test('keeps pages out of the way of large blocks', (t) => {
  const arena = new Arena(MIB);
  const segments: number[] = [];
  for (let n = 0; n < 512; n += 1) {
    segments.push(arena.take(1));
    if (n % 4 === 0) arena.take(0, true);
  }
  for (const segment of segments) arena.release(segment, 1);
  let slabs = 0;
  while (arena.take(arena.classMax) !== NONE) slabs += 1;
  // All of the 16 but those with a nest, of which 128 such pages need two, and one that was begun.
  t.true(slabs >= 13, String(slabs));
});

test('has a place for segments between pages, and for pages between segments, when nothing else is left', (t) => {
  const arena = new Arena(MIB);
  const pages: number[] = [];
  while (arena.usedBytes < MIB / 2) pages.push(arena.take(0, true));
  while (arena.take(1) !== NONE);
  t.is(arena.usedBytes, MIB);
  for (const page of pages.slice(0, 64)) arena.release(page, 0);
  t.not(arena.take(3), NONE);
  for (const page of pages.slice(64, 68)) arena.release(page, 0);
  t.not(arena.take(1), NONE);
  t.is(arena.take(0, true), NONE);
});

test('takes first what has been free the longest', (t) => {
  const arena = new Arena(MIB);
  const [a, , b] = [arena.take(0), arena.take(0), arena.take(0), arena.take(0)];
  arena.release(b, 0);
  arena.release(a, 0);
  t.deepEqual([arena.take(0), arena.take(0)], [b, a]);
});

test('keeps slabs small when the budget is small', (t) => {
  t.is(bytesOf(new Arena(64 * 1024).classMax), 4096);
  t.is(bytesOf(new Arena(MIB).classMax), 64 * 1024);
  t.is(bytesOf(new Arena(64 * MIB).classMax), 4 * MIB);
});

test('refuses a budget that is too small or beyond its addresses', (t) => {
  t.throws(() => new Arena(1), { message: /at least/ });
  t.throws(() => new Arena(9 * 2 ** 30), { message: /at most/ });
});

test('refuses a block that is given back twice', (t) => {
  const arena = new Arena(MIB);
  const block = arena.take(0);
  arena.release(block, 0);
  t.throws(() => arena.release(block, 0), { message: /once/ });
});

test('reaches over several regions, whose untouched memory costs nothing', (t) => {
  const arena = new Arena(1.5 * 2 ** 30);
  const slabs = 384;
  const blocks: number[] = [];
  for (let slab = 0; slab < slabs; slab += 1) blocks.push(arena.take(arena.classMax));
  t.is(arena.take(0), NONE);
  const last = blocks.at(-1) ?? NONE;
  t.not(arena.words(last), arena.words(blocks[0] ?? NONE));
  t.true(local(last) + wordsOf(arena.classMax) <= arena.words(last).length);
  for (const block of blocks) arena.release(block, arena.classMax);
  t.is(new Set(blocks).size, slabs);
  t.is(arena.usedBytes, 0);
});

// Blocks never overlap, lie within the budget, and are all there again in the end.
for (const seed of [1, 2, 3, 5, 8, 13]) {
  test(`agrees with a map of who holds which bytes, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const arena = new Arena(MIB);
    const units = new Uint8Array(MIB / 256);
    const held: { address: number; size: number }[] = [];
    let used = 0;
    for (let step = 0; step < 3000; step += 1) {
      if (random(5) < 3) {
        const size = random(arena.classMax + 1);
        const address = arena.take(size);
        if (address === NONE) continue;
        const first = address / 64;
        const unitsTaken = units.subarray(first, first + bytesOf(size) / 256);
        t.true(unitsTaken.every((unit) => unit === 0));
        t.is(unitsTaken.length, bytesOf(size) / 256);
        unitsTaken.fill(1);
        held.push({ address, size });
        used += bytesOf(size);
      } else if (held.length > 0) {
        const [block] = held.splice(random(held.length), 1);
        if (block === undefined) continue;
        units.fill(0, block.address / 64, block.address / 64 + bytesOf(block.size) / 256);
        arena.release(block.address, block.size);
        used -= bytesOf(block.size);
      }
      t.is(arena.usedBytes, used);
    }
    for (const { address, size } of held) arena.release(address, size);
    for (let slab = 0; slab < MIB / bytesOf(arena.classMax); slab += 1) {
      t.not(arena.take(arena.classMax), NONE);
    }
  });
}

test('begins a slab a quarter at a time, and what is left of it serves whoever wants no more', (t) => {
  const arena = new Arena(32 * 2 ** 20);
  const slabWords = wordsOf(arena.classMax);
  const quarter = arena.classMax - 1;
  const first = arena.take(quarter);
  const whole = arena.take(arena.classMax);
  t.is(Math.floor(whole / slabWords), Math.floor(first / slabWords) + 1);
  const rest = [arena.take(quarter), arena.take(0), arena.take(quarter)];
  for (const address of rest) t.is(Math.floor(address / slabWords), Math.floor(first / slabWords));
  for (const address of [first, rest[0] ?? 0, rest[2] ?? 0]) arena.release(address, quarter);
  arena.release(rest[1] ?? 0, 0);
  arena.release(whole, arena.classMax);
  t.is(arena.usedBytes, 0);
  t.is(arena.touchedBytes, 2 * bytesOf(arena.classMax));
  t.true(arena.take(arena.classMax) !== NONE && arena.take(arena.classMax) !== NONE);
  t.is(arena.touchedBytes, 2 * bytesOf(arena.classMax));
});
