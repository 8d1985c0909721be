import test from 'ava';
import { guidOf } from './guid.ts';

test('gives a name the same GUID at every start', (t) => {
  t.is(guidOf('app/shop'), '49c01988-4605-5bcd-8f51-1efea1a7c004');
});

test('gives UUIDs of version 5, and different ones to different names', (t) => {
  const guids = Array.from({ length: 500 }, (_, n) => guidOf(String(n)));
  t.is(new Set(guids).size, 500);
  for (const guid of guids) {
    t.regex(guid, /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
});
