/**
 * The parameters of the REST API, read as grpc-gateway 2.26 reads them for log-cache-release v3.2.0.
 *
 * A field goes by its proto name or its lowerCamel one; what no field is called is passed over; a
 * single value that is there twice, empty or badly written is a ParamError with the original's
 * text. Text that is not UTF-8 is refused as the original's gRPC client refuses it.
 */

import { isUtf8 } from 'node:buffer';
import { status } from '@grpc/grpc-js';
import { nearestName } from '@standpipe/plumbing';
import { quoted } from '../quote.ts';
import { ReadError, type ReadRequest, readRequest } from '../reader.ts';

/** Decoded names and all their values, in the order they came. */
export type Form = ReadonlyMap<string, readonly Buffer[]>;

const ENVELOPE_TYPES = ['ANY', 'LOG', 'COUNTER', 'GAUGE', 'TIMER', 'EVENT'];

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const INT64_DIGITS_MAX = 19;

const TRUE: ReadonlySet<string> = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE: ReadonlySet<string> = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

/** How a value is called in errors, and how it is read. */
interface Field<T> {
  readonly name: string;
  readonly jsonName: string;
  readonly parse: (text: string) => T;
}

const START_TIME: Field<bigint> = { name: 'start_time', jsonName: 'startTime', parse: parseInt64 };
const END_TIME: Field<bigint> = { name: 'end_time', jsonName: 'endTime', parse: parseInt64 };
const LIMIT: Field<bigint> = { name: 'limit', jsonName: 'limit', parse: parseInt64 };
const DESCENDING: Field<boolean> = {
  name: 'descending',
  jsonName: 'descending',
  parse: parseBool,
};
const LOCAL_ONLY: Field<boolean> = { name: 'local_only', jsonName: 'localOnly', parse: parseBool };
const TYPES: Field<number> = {
  name: 'envelope_types',
  jsonName: 'envelopeTypes',
  parse: parseEnvelopeType,
};
const NAME_FILTER: Field<string> = {
  name: 'name_filter',
  jsonName: 'nameFilter',
  parse: (text) => text,
};
// Ours.
const CONTAINS: Field<string> = { name: 'contains', jsonName: 'contains', parse: (text) => text };
const MATCHES: Field<string> = { name: 'matches', jsonName: 'matches', parse: (text) => text };
const TAGS: Field<string> = { name: 'tag', jsonName: 'tag', parse: parseTag };

/** What a tail knows: it has no end, no limit, and one order. */
const TAIL_FIELDS: readonly Field<unknown>[] = [
  START_TIME,
  TYPES,
  NAME_FILTER,
  CONTAINS,
  MATCHES,
  TAGS,
];

const READ_FIELDS: readonly Field<unknown>[] = [
  START_TIME,
  END_TIME,
  LIMIT,
  TYPES,
  DESCENDING,
  NAME_FILTER,
  CONTAINS,
  MATCHES,
  TAGS,
];

/** Reads `a=b&c=d` from a query string or a form; the values of several follow one another. */
export function parseForm(...texts: readonly string[]): Form {
  const form = new Map<string, Buffer[]>();
  for (const text of texts) {
    for (const part of text.split('&')) {
      if (part.includes(';')) throw invalid('invalid semicolon separator in query');
      if (part === '') continue;
      const equals = part.indexOf('=');
      const key = unescapeQuery(equals < 0 ? part : part.slice(0, equals));
      const value = unescapeQuery(equals < 0 ? '' : part.slice(equals + 1));
      const values = form.get(key.toString());
      if (values) values.push(value);
      else form.set(key.toString(), [value]);
    }
  }
  return bracketed(form);
}

export function readParams(sourceId: string, form: Form): ReadRequest {
  checkPaths(form, READ_FIELDS);
  return readRequest(sourceId, {
    startTime: single(form, START_TIME) ?? 0n,
    endTime: single(form, END_TIME) ?? 0n,
    limit: single(form, LIMIT) ?? 0n,
    envelopeTypes: list(form, TYPES),
    descending: single(form, DESCENDING) ?? false,
    nameFilter: single(form, NAME_FILTER, utf8) ?? '',
    contains: single(form, CONTAINS, utf8) ?? '',
    matches: single(form, MATCHES, utf8) ?? '',
    tags: list(form, TAGS, utf8),
  });
}

/**
 * What to tail: as `read`, but that nothing older is wanted unless a start is given. A tail is ours
 * alone, so a parameter that it does not know is a mistake and not one of a client of long ago.
 */
export function tailParams(
  sourceId: string,
  form: Form,
): { readonly read: ReadRequest; readonly backlog: boolean } {
  checkNames(form, TAIL_FIELDS);
  const read = readParams(sourceId, form);
  return { read, backlog: valuesOf(form, START_TIME).length > 0 };
}

export function metaParams(form: Form): { readonly localOnly: boolean } {
  checkPaths(form, [LOCAL_ONLY]);
  return { localOnly: single(form, LOCAL_ONLY) ?? false };
}

/** A single parameter that is any text; '' when it is not there. */
export function textParam(form: Form, name: string): string {
  return single(form, { name, jsonName: name, parse: (text) => text }, utf8) ?? '';
}

/** All values of such a parameter. */
export function textParams(form: Form, name: string): readonly string[] {
  return (form.get(name) ?? []).map(utf8);
}

/**
 * The source id in the path behind `/api/v1/read`: everything, with `%2F` as good as a slash.
 * Undefined, when the escapes are no escapes; a ReadError, when they are no UTF-8.
 */
export function sourceIdOf(path: string): string | undefined {
  const bytes = unescaped(path.startsWith('/') ? path.slice(1) : path);
  return bytes && utf8(bytes);
}

/** A value's text. gRPC carries only UTF-8. */
function utf8(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString();
  throw new ReadError(
    status.INTERNAL,
    'grpc: error while marshaling: string field contains invalid UTF-8',
  );
}

/** `key[x]=y` means the values x and y of `key`. */
function bracketed(form: Map<string, Buffer[]>): Form {
  for (const [name, values] of [...form]) {
    if (!name.endsWith(']')) continue;
    const open = name.lastIndexOf('[');
    if (open < 0) continue;
    const key = name.slice(0, open);
    const inner = Buffer.from(name.slice(open + 1, -1));
    form.delete(name);
    const all = form.get(key);
    if (all === undefined) form.set(key, [inner, ...values]);
    else {
      // One by one, for there may be as many as fit a request.
      all.push(inner);
      for (const value of values) all.push(value);
    }
  }
  return form;
}

/** No field has fields of its own. */
function checkPaths(form: Form, fields: readonly Field<unknown>[]): void {
  for (const name of form.keys()) {
    const [first, ...rest] = name.split('.');
    const field = fields.find((known) => first === known.name || first === known.jsonName);
    if (field && rest.length > 0)
      throw invalid(`invalid path: ${quoted(first ?? '')} is not a message`);
  }
}

/** Nothing is there that no field is called. */
function checkNames(form: Form, fields: readonly Field<unknown>[]): void {
  const names = new Set(fields.flatMap(({ name, jsonName }) => [name, jsonName]));
  for (const name of form.keys()) {
    const [first = ''] = name.split('.');
    if (names.has(first)) continue;
    const meant = nearestName(first, names);
    const hint = meant === undefined ? '' : `: did you mean ${quoted(meant)}?`;
    throw invalid(`unknown parameter ${quoted(first)}${hint}`);
  }
}

function valuesOf<T>(form: Form, { name, jsonName }: Field<T>): readonly Buffer[] {
  if (name === jsonName) return form.get(name) ?? [];
  // By both spellings the original takes a random one; ours takes the last.
  return form.get(jsonName) ?? form.get(name) ?? [];
}

function single<T>(
  form: Form,
  field: Field<T>,
  textOf: (bytes: Buffer) => string = String,
): T | undefined {
  const [value, ...more] = valuesOf(form, field);
  if (value === undefined) return undefined;
  if (more.length > 0) {
    const all = [value, ...more].join(', ');
    throw invalid(`too many values for field ${quoted(field.name)}: ${all}`);
  }
  return parsed(field, 'field', textOf(value));
}

function list<T>(form: Form, field: Field<T>, textOf: (bytes: Buffer) => string = String): T[] {
  return valuesOf(form, field).map((value) => parsed(field, 'list', textOf(value)));
}

function parsed<T>(field: Field<T>, what: 'field' | 'list', text: string): T {
  try {
    return field.parse(text);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw invalid(`parsing ${what} ${quoted(field.name)}: ${error.message}`);
  }
}

/** A value that is not of its type. */
class ValueError extends Error {
  override readonly name = 'ValueError';
}

function parseInt64(text: string): bigint {
  const failed = (reason: string): ValueError =>
    new ValueError(`strconv.ParseInt: parsing ${quoted(text)}: ${reason}`);
  const [, sign, digits] = /^([+-]?)0*(\d+)$/.exec(text) ?? [];
  if (digits === undefined) throw failed('invalid syntax');
  if (digits.length > INT64_DIGITS_MAX) throw failed('value out of range');
  const value = sign === '-' ? -BigInt(digits) : BigInt(digits);
  if (value < INT64_MIN || value > INT64_MAX) throw failed('value out of range');
  return value;
}

function parseBool(text: string): boolean {
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  throw new ValueError(`strconv.ParseBool: parsing ${quoted(text)}: invalid syntax`);
}

function parseEnvelopeType(text: string): number {
  const byName = ENVELOPE_TYPES.indexOf(text);
  if (byName >= 0) return byName;
  const number = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number in ENVELOPE_TYPES) return number;
  throw new ValueError(`${quoted(text)} is not a valid value`);
}

function parseTag(text: string): string {
  if (text.includes(':')) return text;
  throw new ValueError(`${quoted(text)} is not KEY:VALUE`);
}

function unescapeQuery(text: string): Buffer {
  const bytes = unescaped(text.replaceAll('+', ' '));
  if (bytes) return bytes;
  const [bad] = /%(?![0-9a-fA-F]{2}).{0,2}/s.exec(text) ?? ['%'];
  throw invalid(`invalid URL escape ${quoted(bad)}`);
}

/** Text with its percent escapes resolved, as bytes; undefined, when one is broken. */
function unescaped(text: string): Buffer | undefined {
  if (!text.includes('%')) return Buffer.from(text);
  const pieces: Buffer[] = [];
  for (const [index, piece] of text.split('%').entries()) {
    if (index === 0) pieces.push(Buffer.from(piece));
    else if (!/^[0-9a-fA-F]{2}/.test(piece)) return undefined;
    else pieces.push(Buffer.from(piece.slice(0, 2), 'hex'), Buffer.from(piece.slice(2)));
  }
  return Buffer.concat(pieces);
}

function invalid(message: string): ReadError {
  return new ReadError(status.INVALID_ARGUMENT, message);
}
