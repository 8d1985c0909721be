import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { Ranks, UNRANKED } from './ranks.ts';

class Item {
  rank: number = UNRANKED;
  before: this | undefined;
  after: this | undefined;
  heldBytes: number;

  constructor(heldBytes: number) {
    this.heldBytes = heldBytes;
  }
}

test('gives nobody when nobody is there', (t) => {
  const ranks = new Ranks<Item>();
  t.is(ranks.largest(), undefined);
  t.is(ranks.smallest(), undefined);
});

test('lets those of one size take turns', (t) => {
  const ranks = new Ranks<Item>();
  const items = [new Item(5000), new Item(5000), new Item(5000)];
  for (const item of items) ranks.place(item);
  const turns: (Item | undefined)[] = [];
  for (let turn = 0; turn < 4; turn += 1) {
    const item = ranks.largest();
    turns.push(item);
    if (item) ranks.place(item);
  }
  t.deepEqual(turns, [items[0], items[1], items[2], items[0]]);
});

test('ranks whatever size there can be', (t) => {
  const ranks = new Ranks<Item>();
  for (const size of [8 * 2 ** 30, 0, 1]) ranks.place(new Item(size));
  t.is(ranks.largest()?.heldBytes, 8 * 2 ** 30);
  t.is(ranks.smallest()?.heldBytes, 0);
});

for (const seed of [1, 2, 3]) {
  test(`finds the largest and the smallest to within a sixteenth, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const ranks = new Ranks<Item>();
    const items: Item[] = [];
    for (let step = 0; step < 2000; step += 1) {
      const choice = random(4);
      const item = items[random(Math.max(1, items.length))];
      if (choice === 0 || item === undefined) {
        const added = new Item(1024 * (1 + random(100_000)));
        items.push(added);
        ranks.place(added);
      } else if (choice === 1) {
        ranks.remove(item);
        items.splice(items.indexOf(item), 1);
      } else {
        item.heldBytes = 1024 * (1 + random(100_000));
        ranks.update(item);
      }
      const sizes = items.map(({ heldBytes }) => heldBytes);
      const [largest, smallest] = [Math.max(...sizes), Math.min(...sizes)];
      t.true((ranks.largest()?.heldBytes ?? 0) * 1.0625 >= (items.length > 0 ? largest : 0));
      t.true((ranks.smallest()?.heldBytes ?? 0) <= (items.length > 0 ? smallest : 0) * 1.0625);
    }
  });
}
