import test from 'ava';
import { authorizationOf, bareToken } from './authorization.ts';

test('the header goes before the cookie, and an empty one is none', (t) => {
  t.is(authorizationOf({ authorization: 'a', cookie: 'authorization=b' }), 'a');
  t.is(authorizationOf({ authorization: '', cookie: 'authorization=b' }), 'b');
  t.is(authorizationOf({ cookie: 'authorization=%zz' }), '');
  t.is(authorizationOf({}), '');
});

test('a token that begins like its scheme is left whole', (t) => {
  t.is(bareToken('beareradmin'), 'beareradmin');
});
