import test from 'ava';
import { parseModel } from '../model-file.ts';
import { basic } from '../testing.ts';
import { clientOf } from './client-login.ts';
import { UaaError } from './uaa-error.ts';

const MODEL = parseModel(`
clients:
  - { id: cf, secret: '', grant_types: [] }
  - { id: nozzle, secret: 'a b:c/ü%', grant_types: [] }
  - { id: plain, secret: 'a%20b+c', grant_types: [] }
`);

test('a client may log in by Basic, with an empty secret too', (t) => {
  t.is(login(basic('cf', '')), 'cf');
  t.is(login('Basic Y2Y6'), 'cf');
  t.is(login(basic('nozzle', 'a b:c/ü%')), 'nozzle');
  t.is(login(basic('cf', '').replace('Basic', 'basic')), 'cf');
});

test('what comes by Basic may be percent-encoded, and may only look so', (t) => {
  t.is(login(basic('nozzle', encodeURIComponent('a b:c/ü%'))), 'nozzle');
  t.is(login(basic('nozzle', 'a+b%3Ac%2F%C3%BC%25')), 'nozzle');
  t.is(login(basic('plain', 'a%20b+c')), 'plain');
});

test('a client may log in by the form, or both ways', (t) => {
  t.is(login('', { client_id: 'nozzle', client_secret: 'a b:c/ü%' }), 'nozzle');
  t.is(login('', { client_id: 'cf' }), 'cf');
  t.is(login(basic('cf', ''), { client_id: 'cf', client_secret: '' }), 'cf');
});

test('refuses a client that is unknown, has another secret, or says nothing that can be read', (t) => {
  for (const authorization of [
    basic('cf', 'x'),
    basic('nozzle', ''),
    basic('nobody', ''),
    basic('', ''),
    'Basic ???',
    `Basic ${Buffer.from('cf').toString('base64')}`,
    'Bearer x',
    'x',
  ]) {
    const error = t.throws(() => login(authorization), { instanceOf: UaaError }, authorization);
    t.like(error, { status: 401, error: 'unauthorized', challenge: true }, authorization);
    t.is(error?.message, 'Bad credentials', authorization);
  }
  t.throws(() => login('', { client_id: 'nozzle' }), { message: 'Bad credentials' });
});

test('refuses who says nothing, or is two clients at once', (t) => {
  t.like(
    t.throws(() => login('')),
    { status: 401, error: 'unauthorized', challenge: true },
  );
  const error = t.throws(() => login(basic('cf', ''), { client_id: 'nozzle' }));
  t.like(error, { status: 401, error: 'invalid_client' });
});

function login(authorization: string, form: Readonly<Record<string, string>> = {}): string {
  return clientOf(MODEL, authorization, new URLSearchParams(form)).id;
}
