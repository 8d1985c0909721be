/**
 * HTTP servers with the limits that all of ours share.
 *
 * A connection that sends its headers too slowly is cut, one past the most connections is refused,
 * what is no HTTP or has too long headers is answered so (bad-requests.ts), and a client that does
 * not take its answer is hung up on (write-limit.ts); all are counted.
 */

import { once } from 'node:events';
import http, { type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import http2, { type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type Koa from 'koa';
import { formatAddress } from './address.ts';
import { announce, type ListenerKind } from './announce.ts';
import { answerBadRequests } from './bad-requests.ts';
import { type CipherSuites, warnOfUnknown } from './cipher-suites.ts';
import { HttpConnections } from './http-connections.ts';
import { listenAddress, listenError } from './listen-error.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { watchRefusals } from './refusals.ts';
import { contextOptions, type KeyPair, type Tls } from './tls.ts';
import { limitWriting, type WriteLimit } from './write-limit.ts';

const HEADERS_LIMIT_MS = 2000;
const REQUEST_LIMIT_MS = 30_000;
const KEEP_ALIVE_MS = 5000;
const CHECK_INTERVAL_MS = 500;
const HANDSHAKE_LIMIT_MS = 10_000;
/** A token is a few KiB; a query that names a thousand apps is 47 KiB. */
const HEADER_BYTES_MAX = 64 * 1024;
const CONNECTIONS_MAX_DEFAULT = 5000;
const DRAIN_MS_DEFAULT = 5000;
/** Requests at a time on one connection over HTTP/2, as many as Go allows. */
const STREAMS_MAX = 250;

const CUT_NAME = 'http_cut';
const CUT_HELP = 'Answers that their client did not take in time, who was then hung up on.';

export interface HttpListenOptions {
  /** `host:port`; port 0 is any free one. */
  readonly address: string;
  /** HTTPS. With a `ca`, clients must bring a certificate of it. Undefined: plain HTTP. */
  readonly tls?: KeyPair | Tls | undefined;
  /** Speak HTTP/2 with those who can, if there is TLS. Upgrades need HTTP/1.1, and still have it. */
  readonly http2?: boolean;
  readonly app: Koa;
  readonly log: Log;
  /** Counts the connections that were refused, and the answers that were cut. */
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
  /**
   * How long a client may take nothing of an answer that is complete. Default 30 s. Streams have
   * no such limit while they are written.
   */
  readonly writeMs?: number;
  /** Listen without TLS on an address that others can reach. */
  readonly allowPublic?: boolean;
}

export interface HttpListener extends AsyncDisposable {
  /** `host:port` as bound. */
  readonly address: string;
  readonly port: number;
  /** Aborted when draining begins; an answer that lives as long as its client must then end. */
  readonly draining: AbortSignal;
}

/** Opens an HTTP port. Rejects with a ListenError that names the address. */
export async function listenHttp(options: HttpListenOptions): Promise<HttpListener> {
  const { tls, log, metrics, kind = 'http' } = options;
  const { host, port: wantedPort } = listenAddress(options.address, {
    secure: tls !== undefined,
    allowPublic: options.allowPublic === true,
  });
  if (tls !== undefined) warnOfUnknown(suitesOf(tls), log);
  const server = createServer(options);
  const draining = new AbortController();
  const connections = new HttpConnections(server, tls !== undefined, draining.signal);
  watchRefusals(server, { kind, log, metrics });
  answerBadRequests(server, metrics);
  const { onUpgrade } = options;
  // Node takes a server that listens to this for one that upgrades, and answers nobody who asks.
  if (onUpgrade !== undefined) {
    server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      connections.handedOver(socket);
      onUpgrade(request, socket, head);
    });
  }

  try {
    server.listen(wantedPort, host);
    await once(server, 'listening');
  } catch (error) {
    throw listenError(options.address, error);
  }
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  const address = formatAddress({ host, port });
  announce(kind, address);
  const following = tls?.source?.follow(
    (pem) => (server as https.Server).setSecureContext(contextOptions(pem, suitesOf(tls))), // TLS.
    { log, metrics },
  );

  return {
    address,
    port,
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

type Handler = (
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
) => void;

function createServer(options: HttpListenOptions): Server {
  const { tls } = options;
  const handler = handlerOf(options);
  const limits = {
    headersTimeout: options.headersMs ?? HEADERS_LIMIT_MS,
    requestTimeout: options.requestMs ?? REQUEST_LIMIT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
    maxHeaderSize: HEADER_BYTES_MAX,
  };
  let server: Server;
  if (tls === undefined) {
    server = http.createServer(limits, handler);
  } else if (options.http2 === true) {
    const settings = { maxConcurrentStreams: STREAMS_MAX, maxHeaderListSize: HEADER_BYTES_MAX };
    const both = { ...tlsOptions(tls), allowHTTP1: true, settings };
    // With HTTP/1.1 allowed it has what a Server has, though its type doesn't say so.
    server = http2.createSecureServer(both, handler) as unknown as Server;
    Object.assign(server, limits); // It takes them in no other way.
  } else {
    server = https.createServer({ ...limits, ...tlsOptions(tls) }, handler);
  }
  server.maxConnections = options.maxConnections ?? CONNECTIONS_MAX_DEFAULT;
  return server;
}

function handlerOf(options: HttpListenOptions): Handler {
  const { app, log, metrics, kind = 'http', writeMs: stallMs } = options;
  const callback = app.callback();
  const counter = metrics?.counter(CUT_NAME, CUT_HELP, { listener: kind });
  const limit: WriteLimit = {
    stallMs,
    onCut: (facts) => {
      counter?.add(1);
      log.limited(`${kind}-cut`, 'warn', facts, 'a client did not take its answer');
    },
  };
  return (request, response) => {
    // Koa handles its errors.
    void callback(request, response).then(() => limitWriting(response, limit));
  };
}

function tlsOptions(tls: KeyPair | Tls): https.ServerOptions {
  return {
    ...contextOptions(tls, suitesOf(tls)),
    handshakeTimeout: HANDSHAKE_LIMIT_MS,
    ...('ca' in tls && { requestCert: true, rejectUnauthorized: true }),
  };
}

function suitesOf(tls: KeyPair | Tls): CipherSuites | undefined {
  return 'suites' in tls ? tls.suites : undefined;
}
