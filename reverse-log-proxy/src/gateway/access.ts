/**
 * Who may read what: UAA says who may read everything, Cloud Controller who may read which source.
 *
 *     token ──▶ UAA: scope doppler.firehose or logs.admin?      ──▶ everything
 *          └──▶ Cloud Controller, for each source: is it yours? ──▶ these sources
 *
 * As in Loggregator v107.0.21 nothing is cached, a source must be a GUID, no answer is a no, and the
 * check is made once, when a stream is opened. A token may come as `bearer X` in any spelling or
 * as X alone, for clients send all of these.
 */

import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { Gauge, Log } from '@standpipe/plumbing';
import type { AccessConfig } from './config.ts';
import type { GatewayMetrics } from './metrics.ts';

const ASK_LIMIT_MS = 20_000;
const ANSWER_BYTES_MAX = 256 * 1024;
const CONNECTIONS_MAX = 100;
/** Sources that one request may name; each is a question to Cloud Controller. */
const SOURCES_MAX = 200;

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
    const { skipCertVerify, uaaCa, internalTls, internalName } = config;
    const verify = { rejectUnauthorized: !skipCertVerify };
    this.#config = config;
    this.#metrics = metrics;
    this.#log = log;
    this.#uaa = new Peer(config.uaaUrl, { ...verify, ...(uaaCa && { ca: readFileSync(uaaCa) }) });
    this.#internal = new Peer(config.internalUrl, {
      ...verify,
      ...(internalTls.ca && { ca: readFileSync(internalTls.ca) }),
      ...(internalTls.cert && { cert: readFileSync(internalTls.cert) }),
      ...(internalTls.key && { key: readFileSync(internalTls.key) }),
      ...(internalName && { servername: internalName }),
    });
    this.#external = new Peer(config.externalUrl, verify);
  }

  async allows(authorization: string | undefined, sources: readonly string[]): Promise<boolean> {
    const token = (authorization ?? '').replace(/^\s*bearer/i, '').trim();
    if (token === '') return false;
    try {
      if (await this.#isAdmin(token)) return true;
      if (sources.length === 0 || sources.length > SOURCES_MAX) return false;
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

function scopesIn(body: string): readonly unknown[] {
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch (error) {
    throw new AskError('UAA did not answer in JSON', { cause: error });
  }
  const scope = typeof answer === 'object' && answer !== null && 'scope' in answer && answer.scope;
  return Array.isArray(scope) ? scope : [];
}

async function timed<T>(latency: Gauge, ask: () => Promise<T>): Promise<T> {
  const startedAt = process.hrtime.bigint();
  try {
    return await ask();
  } finally {
    latency.set(Number(process.hrtime.bigint() - startedAt));
  }
}

interface Question {
  readonly method?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** A server that questions are put to, over connections that are kept. */
class Peer implements Disposable {
  readonly #url: string;
  readonly #agent: http.Agent;
  readonly #isSecure: boolean;

  constructor(url: string, options: https.AgentOptions) {
    this.#url = url.replace(/\/+$/, '');
    this.#isSecure = url.startsWith('https:');
    const limits = { keepAlive: true, maxSockets: CONNECTIONS_MAX };
    this.#agent = this.#isSecure
      ? new https.Agent({ ...options, ...limits })
      : new http.Agent(limits);
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
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
