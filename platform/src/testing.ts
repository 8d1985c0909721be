/** What the platform's tests share: one that runs, on a clock of the test's, and asking it things. */

import { mkdtempSync, rmSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock, type SpyLog, spyLog } from '@standpipe/plumbing/testing';
import type { ExecutionContext } from 'ava';
import { DEFAULT_FILE } from './config.ts';
import { type Platform, startPlatform } from './platform.ts';
import { openSigningKey } from './signing-key.ts';

export interface RunningPlatform extends Platform {
  readonly clock: ManualClock;
  readonly log: SpyLog;
  readonly file: string;
  readonly origin: string;
}

export interface RunOptions {
  /** The file's text; without it, the example. */
  readonly text?: string;
  readonly url?: string;
}

/** Not in the past, for other readers of the tokens look at the real time. */
export const NOW_MS: number = Math.floor(Date.now() / 1000) * 1000;

/** A platform that ends with the test. */
export async function runPlatform(
  t: ExecutionContext,
  options: RunOptions = {},
): Promise<RunningPlatform> {
  const folder = await testFolder(t);
  const file = options.text === undefined ? DEFAULT_FILE : join(folder, 'platform.yml');
  if (options.text !== undefined) await writeFile(file, options.text);
  const clock = new ManualClock(NOW_MS);
  const log = spyLog();
  const platform = await startPlatform(
    {
      address: '127.0.0.1:0',
      file,
      url: options.url ?? '',
      keyFile: await keyFile(),
      observability: { metricsPort: 0, statsdAddress: '', metricsIntervalMs: 1000 },
    },
    log,
    clock,
  );
  t.teardown(() => platform[Symbol.asyncDispose]());
  return { ...platform, clock, log, file, origin: `http://${platform.address}` };
}

let keyMade: Promise<string> | undefined;

/** One key for all of a process's tests: making one takes longer than most of them. */
function keyFile(): Promise<string> {
  keyMade ??= (async () => {
    const folder = mkdtempSync(join(tmpdir(), 'standpipe-test-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'key.pem');
    await openSigningKey(file);
    return file;
  })();
  return keyMade;
}

/** A folder that goes with the test. */
export async function testFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-test-'));
  t.teardown(() => rm(folder, { recursive: true }));
  return folder;
}

export interface Question {
  readonly method?: string;
  /** The Authorization header as it is. */
  readonly authorization?: string;
  readonly form?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: what an answer holds is checked by the assertions.
  readonly body: any;
}

/** Asks by `node:http`, which sends any header as it is told. */
export async function ask(origin: string, path: string, question: Question = {}): Promise<Answer> {
  const { authorization, form, headers } = question;
  const body = form === undefined ? question.body : new URLSearchParams(form).toString();
  const sent = http.request(`${origin}${path}`, {
    method: question.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      ...(authorization !== undefined && { authorization }),
      ...(form !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
      ...headers,
    },
    agent: false,
  });
  sent.end(body);
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    sent.on('response', resolve);
    sent.on('error', reject);
  });
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += part;
  const isJson = response.headers['content-type']?.startsWith('application/json') === true;
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text,
    body: isJson ? JSON.parse(text) : undefined,
  };
}

/** `Basic …` of a client's name and secret as they are. */
export function basic(id: string, secret: string): string {
  return `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
}

/** What UAA gives a user of the cf CLI. */
export async function login(
  origin: string,
  user: string,
  password: string = user,
): Promise<{ readonly access: string; readonly refresh: string }> {
  const form = { grant_type: 'password', username: user, password };
  const { body } = await ask(origin, '/oauth/token', { authorization: basic('cf', ''), form });
  return { access: body.access_token, refresh: body.refresh_token };
}

/** The token of a client's own. */
export async function clientToken(
  origin: string,
  id: string,
  secret: string = id,
): Promise<string> {
  const form = { grant_type: 'client_credentials' };
  const { body } = await ask(origin, '/oauth/token', { authorization: basic(id, secret), form });
  return body.access_token;
}

/** A JSON Web Token's part, as it says without being checked. */
// biome-ignore lint/suspicious/noExplicitAny: what it holds is checked by the assertions.
export function partOf(token: string, part: 'header' | 'claims'): any {
  const text = token.split('.')[part === 'header' ? 0 : 1] ?? '';
  return JSON.parse(Buffer.from(text, 'base64url').toString());
}
