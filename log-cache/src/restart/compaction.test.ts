import test from 'ava';
import { type CutOptions, cheapestCut } from './compaction.ts';

const SEGMENTS = [
  [4, 100],
  [5, 100],
  [6, 100],
  [7, 100],
] as const;

test('segments that nobody needs are freed, and nothing is written', (t) => {
  const held = new Map([[6, 150]]);
  t.deepEqual(cut({ held }), { segment: 6, freedBytes: 200, writtenBytes: 0 });
});

test('a quiet source is written, when that frees what is older than the busy ones', (t) => {
  const held = new Map([
    [0, 5],
    [6, 150],
  ]);
  t.deepEqual(cut({ held }), { segment: 6, freedBytes: 200, writtenBytes: 5 });
});

test('when all is old, all is written and freed', (t) => {
  t.deepEqual(cut({ held: new Map([[4, 150]]) }), {
    segment: 8,
    freedBytes: 400,
    writtenBytes: 150,
  });
});

test('no cut is so early that something is missing behind it', (t) => {
  const held = new Map([[6, 150]]);
  t.is(cut({ held, wholeFrom: 7 }).segment, 8, 'then all is as cheap');
  t.is(cut({ held, wholeFrom: 8 }).segment, 8);
});

test('what a snapshot costs in itself keeps it from freeing little', (t) => {
  const held = new Map([
    [5, 10],
    [6, 10],
  ]);
  t.is(cut({ held, fixedBytes: 0 }).segment, 5);
  t.is(cut({ held, fixedBytes: 100 }).segment, 8);
});

test('of a journal without segments there is nothing to free', (t) => {
  t.deepEqual(cut({ segments: [] }), { segment: 8, freedBytes: 0, writtenBytes: 0 });
});

function cut(options: Partial<CutOptions>): ReturnType<typeof cheapestCut> {
  return cheapestCut({
    segments: SEGMENTS,
    next: 8,
    wholeFrom: 0,
    held: new Map(),
    fixedBytes: 10,
    ...options,
  });
}
