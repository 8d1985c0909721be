import test from 'ava';
import { appGuid } from './app.ts';

test('gives an app the same GUID at every start', (t) => {
  t.is(appGuid('shop'), '49c01988-4605-5bcd-8f51-1efea1a7c004');
});
