/**
 * Which client asks. Its name and secret come by Basic authentication, plain (`cf:` with nothing
 * after it too) or percent-encoded, or in the form, or both ways.
 */

import type { Client, Model } from '../model.ts';
import { sameSecret } from './secrets.ts';
import { badCredentials, UaaError } from './uaa-error.ts';

interface Credentials {
  readonly id: string;
  readonly secret: string;
}

/** The client, by what it proves. Throws a UaaError. */
export function clientOf(model: Model, authorization: string, form: URLSearchParams): Client {
  const inForm = form.get('client_id');
  if (authorization === '' && inForm === null) {
    const told = 'Full authentication is required to access this resource';
    throw new UaaError(401, 'unauthorized', told, { challenge: true });
  }
  if (authorization === '') {
    return proven(model, [{ id: inForm ?? '', secret: form.get('client_secret') ?? '' }]);
  }
  const client = proven(model, credentialsIn(authorization));
  if (inForm !== null && inForm !== client.id) {
    throw new UaaError(
      401,
      'invalid_client',
      'Given client ID does not match authenticated client',
    );
  }
  return client;
}

function proven(model: Model, attempts: readonly Credentials[]): Client {
  for (const { id, secret } of attempts) {
    const client = model.clients.find((known) => known.id === id);
    if (sameSecret(secret, client?.secret ?? '') && client) return client;
  }
  throw badCredentials();
}

/** As they stand, and as they read if they were escaped: a literal `%41` cannot be told from an A. */
function credentialsIn(authorization: string): readonly Credentials[] {
  const encoded = /^basic\s+([A-Za-z0-9+/=_-]*)$/i.exec(authorization.trim())?.[1];
  if (encoded === undefined) return [];
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  if (colon < 0) return [];
  const plain = { id: text.slice(0, colon), secret: text.slice(colon + 1) };
  const id = unescaped(plain.id);
  const secret = unescaped(plain.secret);
  return id === undefined || secret === undefined ? [plain] : [plain, { id, secret }];
}

/** As in a form: `+` is a blank. Undefined, if it isn't escaped right. */
function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
