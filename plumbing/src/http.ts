/**
 * HTTP servers with the limits that all of ours share, and the Koa application at their front.
 *
 * An error below 500 is the caller's, who is told what it was; anything else is ours: the caller
 * gets a plain 500 (or its own status and, if it says `expose`, its message) and the log gets the
 * error. A client that goes away in the middle of an answer
 * is no error. A connection that sends its headers too slowly is cut, one past the most
 * connections is refused, and both are counted in the log.
 */

import { once } from 'node:events';
import http, { type IncomingMessage, type Server } from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import Koa from 'koa';
import { formatAddress } from './address.ts';
import { announce, type ListenerKind } from './announce.ts';
import { listenAddress, listenError } from './listen-error.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { watchRefusals } from './refusals.ts';
import { contextOptions, type KeyPair, type Tls } from './tls.ts';

const HEADERS_LIMIT_MS = 2000;
const REQUEST_LIMIT_MS = 30_000;
const KEEP_ALIVE_MS = 5000;
const CHECK_INTERVAL_MS = 500;
const HANDSHAKE_LIMIT_MS = 10_000;
const HEADER_BYTES_MAX = 16 * 1024;
const CONNECTIONS_MAX_DEFAULT = 5000;
const DRAIN_MS_DEFAULT = 5000;

export interface HttpListenOptions {
  /** `host:port`; port 0 is any free one. */
  readonly address: string;
  /** HTTPS. With a `ca`, clients must bring a certificate of it. Undefined: plain HTTP. */
  readonly tls?: KeyPair | Tls | undefined;
  readonly app: Koa;
  readonly log: Log;
  /** Counts the connections that were refused. */
  readonly metrics?: Metrics;
  /** How it announces itself. Default http. */
  readonly kind?: ListenerKind;
  /** Takes connections that ask for an upgrade, to a websocket. Without it they are plain requests. */
  readonly onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** How long requests may take to end once draining has begun. Default 5 s. */
  readonly drainMs?: number;
  /** Connections at a time. Default 5,000. */
  readonly maxConnections?: number;
  /** How long a client may take to send its headers. Default 2 s. */
  readonly headersMs?: number;
  /** How long a client may take to send a request whole. Default 30 s. */
  readonly requestMs?: number;
  /** Listen without TLS on an address that others can reach. */
  readonly allowPublic?: boolean;
}

export interface HttpListener extends AsyncDisposable {
  /** `host:port` as bound. */
  readonly address: string;
  readonly port: number;
  readonly server: Server;
  /** Aborted when draining begins; an answer that lives as long as its client must then end. */
  readonly draining: AbortSignal;
}

/** Opens an HTTP port. Rejects with a ListenError that names the address. */
export async function listenHttp(options: HttpListenOptions): Promise<HttpListener> {
  const kind = options.kind ?? 'http';
  const { host, port: wantedPort } = listenAddress(options.address, {
    secure: options.tls !== undefined,
    allowPublic: options.allowPublic === true,
  });
  const server = createServer(options);
  const draining = new AbortController();
  const connections = new Connections(server, draining.signal);
  watchRefusals(server, { kind, log: options.log, metrics: options.metrics });
  const { onUpgrade } = options;
  // Node takes a server that listens to this for one that upgrades, and answers nobody who asks.
  if (onUpgrade !== undefined) {
    server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      connections.handedOver(socket);
      onUpgrade(request, socket, head);
    });
  }

  const following = followTls(server, options);
  try {
    server.listen(wantedPort, host);
    await once(server, 'listening');
  } catch (error) {
    following?.[Symbol.dispose]();
    throw listenError(options.address, error);
  }
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  const address = formatAddress({ host, port });
  announce(kind, address);

  return {
    address,
    port,
    server,
    draining: draining.signal,
    async [Symbol.asyncDispose](): Promise<void> {
      following?.[Symbol.dispose]();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      draining.abort();
      connections.endIdle();
      const cut = setTimeout(() => connections.cut(), options.drainMs ?? DRAIN_MS_DEFAULT);
      await closed;
      clearTimeout(cut);
    },
  };
}

/** The connections of a server, for the time when it ends them. */
class Connections {
  readonly #server: Server;
  readonly #all = new Set<Socket>();
  /** Those that never sent a request, which Node doesn't count among the idle. */
  readonly #fresh = new Set<Socket>();

  constructor(server: Server, draining: AbortSignal) {
    this.#server = server;
    server.on('connection', (socket: Socket) => {
      this.#all.add(socket);
      socket.once('close', () => this.#all.delete(socket));
    });
    const ready = server instanceof https.Server ? 'secureConnection' : 'connection';
    server.on(ready, (socket: Socket) => {
      this.#fresh.add(socket);
      socket.once('close', () => this.#fresh.delete(socket));
    });
    server.on('request', ({ socket }: IncomingMessage, response: http.ServerResponse) => {
      this.#fresh.delete(socket);
      response.once('close', () => {
        if (draining.aborted) server.closeIdleConnections();
      });
    });
  }

  /** Says that a connection was handed over. */
  handedOver(socket: Socket): void {
    this.#fresh.delete(socket);
  }

  /** Ends those that wait for nothing. */
  endIdle(): void {
    this.#server.closeIdleConnections();
    for (const socket of this.#fresh) socket.destroy();
  }

  /** Ends all, upgraded ones and unfinished handshakes too. */
  cut(): void {
    for (const socket of this.#all) socket.destroy();
  }
}

/** A Koa application that answers errors as said above, and counts them if it has metrics. */
export function koaApp(log: Log, metrics?: Metrics): Koa {
  const app = new Koa();
  app.silent = true;
  app.on('error', (error: Error & { code?: string }) => {
    if (GONE.has(error.code ?? '')) return;
    log.limited('http-stream', 'warn', { error }, 'an answer could not be finished');
  });
  app.use(async (ctx, next) => {
    try {
      await next();
      const answered = ctx.body !== undefined || ctx.respond === false || ctx.headerSent;
      if (ctx.status === 404 && !answered) ctx.throw(404, 'not found');
    } catch (error) {
      answerError(ctx, error, log);
      metrics?.counter(REFUSED_NAME, REFUSED_HELP, { status: String(ctx.status) }).add(1);
    }
  });
  return app;
}

const REFUSED_NAME = 'http_refused';
const REFUSED_HELP = 'Requests that were answered with an error, by its status.';

/** What a vanished client looks like. */
const GONE: ReadonlySet<string> = new Set([
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
]);

/** What spoke of an answer that will not be given now. */
const STALE_HEADERS = ['Content-Encoding', 'ETag', 'Last-Modified', 'Cache-Control'];

function answerError(ctx: Koa.Context, error: unknown, log: Log): void {
  const status = statusOf(error);
  if (status >= 500) {
    const fields = { error, method: ctx.method, path: ctx.path };
    log.limited('http-500', 'error', fields, 'a request failed');
  }
  if (ctx.headerSent) {
    ctx.res.destroy();
    return;
  }
  for (const header of STALE_HEADERS) ctx.remove(header);
  ctx.status = status;
  if (error instanceof Error && 'headers' in error) {
    ctx.set(error.headers as Record<string, string>); // What http-errors carry for their answer.
  }
  ctx.body = { error: isForCaller(error, status) ? error.message : 'internal error' };
}

/** What a caller may read: the message of an error below 500, or one that says `expose: true`. */
function isForCaller(error: unknown, status: number): error is Error {
  if (!(error instanceof Error)) return false;
  return status < 500 || ('expose' in error && error.expose === true);
}

/** The status that an error asks for by `status`; 500, if it asks for none below that. */
function statusOf(error: unknown): number {
  if (!(error instanceof Error) || !('status' in error)) return 500;
  const { status } = error;
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500;
}

function createServer(options: HttpListenOptions): Server {
  const { tls, app } = options;
  const callback = app.callback();
  const handler = (request: IncomingMessage, response: http.ServerResponse): void => {
    void callback(request, response); // Koa handles its errors.
  };
  const limits = {
    headersTimeout: options.headersMs ?? HEADERS_LIMIT_MS,
    requestTimeout: options.requestMs ?? REQUEST_LIMIT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
    maxHeaderSize: HEADER_BYTES_MAX,
  };
  const server =
    tls === undefined
      ? http.createServer(limits, handler)
      : https.createServer({ ...limits, ...tlsOptions(tls) }, handler);
  server.maxConnections = options.maxConnections ?? CONNECTIONS_MAX_DEFAULT;
  return server;
}

function tlsOptions(tls: KeyPair | Tls): https.ServerOptions {
  const suites = 'suites' in tls ? tls.suites : undefined;
  return {
    ...contextOptions(tls, suites),
    handshakeTimeout: HANDSHAKE_LIMIT_MS,
    ...('ca' in tls && { requestCert: true, rejectUnauthorized: true }),
  };
}

/** New connections get what the files say by then. */
function followTls(server: Server, options: HttpListenOptions): Disposable | undefined {
  const { tls } = options;
  if (!(server instanceof https.Server)) return undefined;
  const suites = tls !== undefined && 'suites' in tls ? tls.suites : undefined;
  return tls?.source?.follow(
    (pem) => server.setSecureContext(contextOptions(pem, suites)),
    options,
  );
}
