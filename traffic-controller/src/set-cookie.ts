/**
 * `/set-cookie`: hands a browser the cookie by which the websocket doors know its token.
 *
 * The form's CookieName and CookieValue come in the query or the body. The value is not escaped:
 * whoever reads the cookie unescapes it, so clients send it escaped.
 */

import type { IncomingMessage } from 'node:http';
import { bare, type Refusal } from './refusal.ts';

const BODY_BYTES_MAX = 64 * 1024;
const FORM_METHODS: readonly (string | undefined)[] = ['POST', 'PUT', 'PATCH'];
const COOKIE_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const NO_COOKIE_BYTES = /[^ !#-:<-[\]-~]/g;

/** What is answered: 200 with the cookie, or 400 when the form can't be read. */
export async function setCookie(
  request: IncomingMessage,
  query: string,
  systemDomain: string,
): Promise<Refusal> {
  const cors = {
    'Access-Control-Allow-Origin': request.headers.origin ?? '',
    'Access-Control-Allow-Credentials': 'true',
    'Access-Control-Allow-Headers': 'Content-Type',
  };
  const form = await formOf(request, query);
  if (form === undefined) return { ...bare(400), headers: cors };
  const name = form.get('CookieName') ?? '';
  const cookie = cookieText(name, form.get('CookieValue') ?? '', `doppler.${systemDomain}`);
  return { ...bare(200), headers: cookie === '' ? cors : { ...cors, 'Set-Cookie': cookie } };
}

/** The fields of the body, then those of the query; undefined, if either is no form. */
async function formOf(
  request: IncomingMessage,
  query: string,
): Promise<ReadonlyMap<string, string> | undefined> {
  const form = new Map<string, string>();
  const type = request.headers['content-type'] ?? '';
  if (FORM_METHODS.includes(request.method)) {
    if (type.split(';')[0]?.trim().toLowerCase() === 'application/x-www-form-urlencoded') {
      const body = await bodyOf(request);
      if (body === undefined || !addFields(form, body)) return undefined;
    }
  }
  return addFields(form, query.slice(1)) ? form : undefined;
}

async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let byteLength = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    byteLength += part.length;
    if (byteLength > BODY_BYTES_MAX) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

/** Adds the fields that aren't there yet; false, if one is written badly. */
function addFields(form: Map<string, string>, text: string): boolean {
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    if (pair.includes(';')) return false; // Go takes it for no separator, and for no text.
    const equals = pair.indexOf('=');
    const name = unescaped(equals < 0 ? pair : pair.slice(0, equals));
    const value = unescaped(equals < 0 ? '' : pair.slice(equals + 1));
    if (name === undefined || value === undefined) return false;
    if (!form.has(name)) form.set(name, value);
  }
  return true;
}

function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

/** The header's text; '' when there can be no such cookie. */
function cookieText(name: string, value: string, domain: string): string {
  if (!COOKIE_NAME.test(name)) return '';
  const clean = value.replaceAll(NO_COOKIE_BYTES, '');
  const quoted = /[ ,]/.test(clean) ? `"${clean}"` : clean;
  return `${name}=${quoted}; Domain=${domain}; HttpOnly; Secure`;
}
