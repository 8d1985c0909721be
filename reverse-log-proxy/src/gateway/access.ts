/**
 * Who may read what: UAA says who may read everything, Cloud Controller who may read which source.
 *
 *     token ──▶ UAA: scope doppler.firehose or logs.admin?      ──▶ everything
 *          └──▶ Cloud Controller, for each source: is it yours? ──▶ these sources
 *
 * As in Loggregator v107.0.21 nothing is cached, a source must be a GUID, no answer is a no, and the
 * check is made once, when a stream is opened. That one asks Cloud Controller even about what is no
 * GUID, and then refuses it; here it is not asked, which nobody but Cloud Controller can tell. A
 * token may come as `bearer X` in any spelling or as X alone, for clients send all of these; Cloud
 * Controller always gets `bearer X`.
 *
 * How many sources a request names is bounded by how long its headers may be.
 */

import http from 'node:http';
import https from 'node:https';
import {
  type Authorities,
  type ClientContext,
  clientContext,
  type Gauge,
  type KeyPair,
  type Log,
  readAuthorities,
  readKeyPair,
  readTls,
} from '@standpipe/plumbing';
import type { AccessConfig } from './config.ts';
import type { GatewayMetrics } from './metrics.ts';

const ASK_LIMIT_MS = 20_000;
const ANSWER_BYTES_MAX = 256 * 1024;
const CONNECTIONS_MAX = 100;

const ADMIN_SCOPES: readonly string[] = ['doppler.firehose', 'logs.admin'];
const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export interface Access extends Disposable {
  /** Whether the bearer of this header may read these sources; none of them means all there are. */
  allows(authorization: string | undefined, sources: readonly string[]): Promise<boolean>;
}

/** For a gateway that only this machine can reach: everybody may read everything. */
export const openAccess: Access = {
  allows: async () => true,
  [Symbol.dispose]: () => {},
};

export interface CloudAccessOptions {
  readonly config: AccessConfig;
  readonly metrics: GatewayMetrics;
  readonly log: Log;
}

export class CloudAccess implements Access {
  readonly #config: AccessConfig;
  readonly #metrics: GatewayMetrics;
  readonly #log: Log;
  readonly #uaa: Peer;
  readonly #internal: Peer;
  readonly #external: Peer;

  constructor({ config, metrics, log }: CloudAccessOptions) {
    const { uaaUrl, uaaCa, internalUrl, internalName, externalUrl } = config;
    const verify = { rejectUnauthorized: !config.skipCertVerify };
    this.#config = config;
    this.#metrics = metrics;
    this.#log = log;
    this.#uaa = new Peer(uaaUrl, verify, uaaCa === undefined ? undefined : readAuthorities(uaaCa));
    const names = internalName === undefined ? {} : { servername: internalName };
    this.#internal = new Peer(internalUrl, { ...verify, ...names }, internalTls(config));
    this.#external = new Peer(externalUrl, verify);
  }

  async allows(authorization: string | undefined, sources: readonly string[]): Promise<boolean> {
    const token = (authorization ?? '').replace(/^\s*bearer/i, '').trim();
    if (token === '') return false;
    try {
      if (await this.#isAdmin(token)) return true;
      if (sources.length === 0) return false;
      if (!sources.every((source) => GUID.test(source))) return false;
      for (const source of sources) if (!(await this.#owns(token, source))) return false;
      return true;
    } catch (error) {
      if (!(error instanceof AskError)) throw error;
      const fields = { reason: error.message };
      this.#log.limited('access', 'warn', fields, 'a question about access got no answer: refused');
      return false;
    }
  }

  [Symbol.dispose](): void {
    for (const peer of [this.#uaa, this.#internal, this.#external]) peer[Symbol.dispose]();
  }

  /** UAA may answer with any status, as long as it answers in JSON. */
  async #isAdmin(token: string): Promise<boolean> {
    const { clientId, clientSecret } = this.#config;
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
    const { status, body } = await timed(this.#metrics.uaaLatency, () =>
      this.#uaa.ask('/check_token', {
        method: 'POST',
        headers: {
          authorization: `Basic ${basic}`,
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: new URLSearchParams({ token }).toString(),
      }),
    );
    const scopes = scopesIn(body);
    return status === 200 && ADMIN_SCOPES.some((scope) => scopes.includes(scope));
  }

  async #owns(token: string, source: string): Promise<boolean> {
    const { logAccessLatency, serviceInstancesLatency } = this.#metrics;
    const headers = { authorization: `bearer ${token}` };
    const app = await timed(logAccessLatency, () =>
      this.#internal.ask(`/internal/v4/log_access/${source}`, { headers }),
    );
    if (app.status === 200) return true;
    const service = await timed(serviceInstancesLatency, () =>
      this.#external.ask(`/v3/service_instances/${source}`, { headers }),
    );
    return service.status === 200;
  }
}

/** A question that got no answer, or none that can be read. */
class AskError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AskError';
  }
}

/** The scopes in UAA's answer. What the original cannot read is no answer to it, nor to us. */
function scopesIn(body: string): readonly string[] {
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch (error) {
    throw new AskError('UAA did not answer in JSON', { cause: error });
  }
  if (answer === null) return [];
  if (typeof answer !== 'object' || Array.isArray(answer)) {
    throw new AskError('UAA did not answer with an object');
  }
  const scopes: unknown = 'scope' in answer ? (answer.scope ?? []) : [];
  if (Array.isArray(scopes) && scopes.every((scope) => typeof scope === 'string')) return scopes;
  throw new AskError('UAA did not answer with a list of scopes');
}

/** What Cloud Controller is spoken to with, as far as the settings name it. */
function internalTls({ internalCa: ca, internalPair: pair }: AccessConfig): Identity | undefined {
  if (ca !== undefined) return pair === undefined ? readAuthorities(ca) : readTls({ ca, ...pair });
  return pair && readKeyPair(pair);
}

async function timed<T>(latency: Gauge, ask: () => Promise<T>): Promise<T> {
  const startedAt = process.hrtime.bigint();
  try {
    return await ask();
  } finally {
    latency.set(Number(process.hrtime.bigint() - startedAt));
  }
}

/** Authorities, or a certificate with its key, or both. */
type Identity = Authorities | KeyPair;

interface Question {
  readonly method?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/**
 * A server that questions are put to. Each has a connection of its own, as with the original: one
 * that was kept may be closed by the server in the very moment that a question goes out on it.
 */
class Peer implements Disposable {
  readonly #url: string;
  readonly #agent: http.Agent;
  readonly #isSecure: boolean;
  readonly #context: ClientContext | undefined;

  constructor(url: string, options: https.AgentOptions, tls?: Identity) {
    this.#url = url.replace(/\/+$/, '');
    this.#isSecure = url.startsWith('https:');
    this.#context = this.#isSecure && tls !== undefined ? clientContext(tls) : undefined;
    const secureContext = this.#context?.secureContext;
    const limits = { maxSockets: CONNECTIONS_MAX };
    this.#agent = this.#isSecure
      ? new https.Agent({ ...options, ...limits, ...(secureContext && { secureContext }) })
      : new http.Agent(limits);
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
    this.#context?.[Symbol.dispose]();
  }

  ask(path: string, { method = 'GET', headers, body = '' }: Question): Promise<Answer> {
    const send = this.#isSecure ? https.request : http.request;
    const length = body === '' ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        reject(new AskError(`${this.#url}${path}: ${error.message}`, { cause: error }));
      };
      const request = send(`${this.#url}${path}`, {
        method,
        headers: { ...headers, ...length },
        agent: this.#agent,
        signal: AbortSignal.timeout(ASK_LIMIT_MS),
      });
      request.on('error', fail);
      request.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
          if (text.length > ANSWER_BYTES_MAX) response.destroy(new Error('the answer is too long'));
        });
        response.on('error', fail);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
      });
      request.end(body);
    });
  }
}
