import test from 'ava';
import { MapEntries } from './map-entries.ts';

test('gives back what a map of very many entries took', (t) => {
  const entries = new MapEntries();
  const bytes = Buffer.from('0a0161120162', 'hex');
  for (let entry = 0; entry < 10_000; entry += 1) entries.add(bytes, 0, bytes.length);
  t.is(entries.sort(bytes), 1);
  entries.clear();
  entries.add(bytes, 0, bytes.length);
  t.true(entries.order.length < 1000);
  t.is(entries.find(bytes, Buffer.from('a')), 0);
});
