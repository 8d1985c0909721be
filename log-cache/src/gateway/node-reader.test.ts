import test from 'ava';
import type { MetaResult } from '../reader.ts';
import { NodeReader, type NodeReaderOptions } from './node-reader.ts';

/** A node that says how often it was asked, and can be away. */
class CountingNode implements Pick<NodeReaderOptions['client'], 'meta'> {
  asked = 0;
  isAway = false;

  async meta(): Promise<MetaResult> {
    this.asked += 1;
    if (this.isAway) throw new Error('away');
    return { sources: new Map(), unreachable: [] };
  }

  ask(): never {
    throw new Error('is not read');
  }
}

test('asks its node for meta once a second, and gives all who come meanwhile the same', async (t) => {
  const node = new CountingNode();
  let ms = 0;
  const reader = new NodeReader({ client: node, address: 'here:1', now: () => ms });
  const { sources } = await reader.meta(false);
  ms = 999;
  t.is((await reader.meta(false)).sources, sources);
  t.is(node.asked, 1);
  t.not((await reader.meta(true)).sources, sources, 'its own is another question');
  ms = 1000;
  t.not((await reader.meta(false)).sources, sources);
  t.is(node.asked, 3);
});

test('asks again at once when its node could not tell', async (t) => {
  const node = new CountingNode();
  node.isAway = true;
  const reader = new NodeReader({ client: node, address: 'here:1', now: () => 0 });
  await t.throwsAsync(reader.meta(false), { message: 'away' });
  node.isAway = false;
  await t.notThrowsAsync(reader.meta(false));
  t.is(node.asked, 2);
});
