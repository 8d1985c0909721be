/**
 * UAA and Cloud Controller as far as access asks them, for tests: tokens are signed for real, and who
 * sees what is written down. It remembers what it was asked.
 */

import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import http, {
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';
import { SignJWT } from 'jose';

/** Made once, for it takes long. */
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const OTHER_RSA: { readonly privateKey: KeyObject; readonly publicKey: KeyObject } =
  generateKeyPairSync('rsa', { modulusLength: 2048 });

export const PEM: string = pemOf(publicKey);
export const NOW_MS = 1_700_000_000_000;

export function pemOf(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

export interface TokenInit {
  readonly algorithm?: string;
  readonly kid?: string | undefined;
  readonly key?: KeyObject | Uint8Array;
  readonly expiresInS?: number | undefined;
  readonly scopes?: readonly string[];
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** A token that is good, but for what is said otherwise. */
export function tokenOf(init: TokenInit = {}): Promise<string> {
  const { algorithm = 'RS256', key = privateKey, scopes = ['openid'], claims = {} } = init;
  const kid = 'kid' in init ? init.kid : 'key-1';
  const expiresInS = 'expiresInS' in init ? init.expiresInS : 600;
  return new SignJWT({
    scope: [...scopes],
    ...(expiresInS !== undefined && { exp: NOW_MS / 1000 + expiresInS }),
    ...claims,
  })
    .setProtectedHeader({ alg: algorithm, ...(kid !== undefined && { kid }) })
    .sign(key);
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface Resource {
  readonly guid: string;
  readonly name?: string;
}

export class FakePlatform {
  readonly origin: string;
  /** What /token_keys answers. */
  keys: unknown = { keys: [{ kid: 'key-1', alg: 'RS256', value: PEM }] };
  /** What everybody sees. */
  apps: readonly Resource[] = [];
  serviceInstances: readonly Resource[] = [];
  /** How many a page has, whatever is asked for. */
  pageSize = 5000;
  /** Answers instead of all this, if it is there. */
  handler: Handler | undefined;
  /** Method and path of each request, and its Authorization. */
  readonly asked: string[] = [];
  readonly authorizations: (string | undefined)[] = [];

  private constructor(origin: string) {
    this.origin = origin;
  }

  static async listen(t: ExecutionContext): Promise<FakePlatform> {
    const server = http.createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo; // It listens on TCP.
    const platform = new FakePlatform(`http://127.0.0.1:${port}`);
    server.on('request', (request, response) => platform.#answer(request, response));
    return platform;
  }

  /** What was asked since the last time. */
  taken(): readonly string[] {
    return this.asked.splice(0);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.asked.push(`${request.method} ${request.url}`);
    this.authorizations.push(request.headers.authorization);
    if (this.handler !== undefined) {
      this.handler(request, response);
      return;
    }
    const url = new URL(request.url ?? '', this.origin);
    const body = this.#bodyOf(url);
    response.writeHead(body === undefined ? 404 : 200, { 'Content-Type': 'application/json' });
    response.end(body === undefined ? '{}' : JSON.stringify(body));
  }

  #bodyOf({ pathname, searchParams }: URL): unknown {
    if (pathname === '/token_keys') return this.keys;
    const [, kind, id] = /^\/v3\/(apps|service_instances)(?:\/(.+))?$/.exec(pathname) ?? [];
    if (kind === undefined) return undefined;
    const all = kind === 'apps' ? this.apps : this.serviceInstances;
    if (id !== undefined) return all.find(({ guid }) => guid === decodeURIComponent(id));
    const names = searchParams.get('names')?.split(',');
    const found = names ? all.filter(({ name = '' }) => names.includes(name)) : all;
    const page = Number(searchParams.get('page') ?? 1);
    const end = page * this.pageSize;
    // As behind a router: a host that is not to be asked.
    const next = { href: `https://api.example.com${pathname}?page=${page + 1}&per_page=5000` };
    return {
      pagination: { next: end < found.length ? next : null },
      resources: found.slice(end - this.pageSize, end),
    };
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Asks for a path as it is written. */
export async function ask(
  port: number,
  path: string,
  options: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  } = {},
): Promise<Answer> {
  const { method = 'GET', headers = {}, body } = options;
  const sent = http.request({ host: '127.0.0.1', port, path, method, headers, agent: false });
  sent.end(body);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    sent.on('response', resolve);
    sent.on('error', reject);
  });
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += part;
  return { status: response.statusCode ?? 0, headers: response.headers, body: text };
}
