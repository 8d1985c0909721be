/**
 * Who may read what: UAA says who is an operator, Cloud Controller who may see an app.
 *
 * A token comes in the header `Authorization` or, if that is empty, in the cookie `authorization`;
 * `Bearer x`, `bearer x` and the bare `x` are all in use and all mean the same. UAA and Cloud
 * Controller are asked once for each request and nothing is remembered, as in Loggregator
 * v107.0.21; a websocket that is open outlives its token.
 *
 * Refusals differ by door, for clients lean on it: 401 at the websockets (noaa then asks for a new
 * token), 404 for what Cloud Controller forbids, and 404 for everything at the reading doors.
 */

import type { IncomingHttpHeaders } from 'node:http';
import {
  authorizationOf,
  bareToken,
  type Log,
  type Outgoing,
  OutgoingError,
} from '@standpipe/plumbing';
import { bare, CHALLENGED, type Refusal, unauthorized } from './refusal.ts';

/** Says no, or says nothing. */
export interface Access {
  firehose(headers: IncomingHttpHeaders): Promise<Refusal | undefined>;
  stream(headers: IncomingHttpHeaders, appId: string): Promise<Refusal | undefined>;
  /** Whether all these sources may be read; with none named, whether everything may be. */
  mayRead(headers: IncomingHttpHeaders, sourceIds: readonly string[]): Promise<boolean>;
}

/** Everybody may read everything, and no token is looked at: for loopback only. */
export const OPEN_ACCESS: Access = {
  firehose: async () => undefined,
  stream: async () => undefined,
  mayRead: async () => true,
};

export interface CloudFoundryAccessOptions {
  readonly uaa: Outgoing;
  readonly uaaClient: string;
  readonly uaaSecret: string;
  readonly cloudController: Outgoing;
  readonly log: Log;
}

const FIREHOSE_SCOPE = 'doppler.firehose';
const READ_SCOPES: readonly string[] = [FIREHOSE_SCOPE, 'logs.admin'];
const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Sources named in one request that are asked about, about as many as its headers have room for. */
const SOURCES_MAX = 1500;

export class CloudFoundryAccess implements Access {
  readonly #options: CloudFoundryAccessOptions;

  constructor(options: CloudFoundryAccessOptions) {
    this.#options = options;
  }

  async firehose(headers: IncomingHttpHeaders): Promise<Refusal | undefined> {
    const authorization = authorizationOf(headers);
    if (authorization === '') return unauthorized('Authorization not provided');
    const scopes = await this.#scopesOf(authorization);
    return scopes.includes(FIREHOSE_SCOPE) ? undefined : unauthorized('Invalid authorization');
  }

  async stream(headers: IncomingHttpHeaders, appId: string): Promise<Refusal | undefined> {
    if (!GUID.test(appId)) return bare(401);
    const authorization = authorizationOf(headers);
    if (authorization === '') return CHALLENGED;
    const status = await this.#logAccess(authorization, appId);
    if (status === 200) return undefined;
    if (status === 401) return CHALLENGED;
    return bare(status === 403 || status === 404 ? 404 : 500);
  }

  async mayRead(headers: IncomingHttpHeaders, sourceIds: readonly string[]): Promise<boolean> {
    const authorization = authorizationOf(headers);
    if (authorization === '') return false;
    const scopes = await this.#scopesOf(authorization);
    if (READ_SCOPES.some((scope) => scopes.includes(scope))) return true;
    if (sourceIds.length === 0 || sourceIds.length > SOURCES_MAX) return false;
    for (const sourceId of sourceIds) {
      if (!GUID.test(sourceId)) return false;
      if ((await this.#logAccess(authorization, sourceId)) !== 200) return false;
    }
    return true;
  }

  /** What a token is good for: nothing, if UAA says so or can't be asked. */
  async #scopesOf(authorization: string): Promise<readonly string[]> {
    const { uaa, uaaClient, uaaSecret } = this.#options;
    const client = Buffer.from(`${uaaClient}:${uaaSecret}`).toString('base64');
    const answer = await this.#ask(uaa, {
      method: 'POST',
      path: '/check_token',
      headers: {
        Authorization: `Basic ${client}`,
        'Content-Type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams({ token: bareToken(authorization) }).toString(),
    });
    if (answer?.status === 200) return scopesIn(answer.body);
    if (answer?.status === 400) {
      const reason = textIn(answer.body, 'error_description');
      this.#options.log.limited('token', 'info', { reason }, 'a token is worth nothing');
    } else if (answer !== undefined) {
      const fields = { status: answer.status };
      this.#options.log.limited('uaa', 'warn', fields, 'UAA refused to check a token');
    }
    return [];
  }

  /** The status that Cloud Controller answers with; 0, if it doesn't. */
  async #logAccess(authorization: string, appId: string): Promise<number> {
    const answer = await this.#ask(this.#options.cloudController, {
      method: 'GET',
      path: `/internal/v4/log_access/${appId}`,
      headers: { Authorization: `bearer ${bareToken(authorization)}` },
    });
    return answer?.status ?? 0;
  }

  async #ask(
    server: Outgoing,
    request: Parameters<Outgoing['ask']>[0],
  ): Promise<{ readonly status: number; readonly body: string } | undefined> {
    try {
      return await server.ask(request);
    } catch (error) {
      if (!(error instanceof OutgoingError)) throw error;
      this.#options.log.limited(
        'auth',
        'warn',
        { error },
        'nobody could say what a token is worth',
      );
      return undefined;
    }
  }
}

function scopesIn(body: string): readonly string[] {
  const { scope } = fieldsIn(body);
  return Array.isArray(scope) ? scope.filter((name) => typeof name === 'string') : [];
}

function textIn(body: string, name: string): string {
  const text = fieldsIn(body)[name];
  return typeof text === 'string' ? text : '';
}

/** The fields of a JSON object; none, if it is no such thing. */
function fieldsIn(body: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
