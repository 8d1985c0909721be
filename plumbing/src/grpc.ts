/**
 * gRPC servers and clients with the limits that all of ours share.
 *
 * Messages pass through as Buffers: a service definition's serializers hand over the bytes that
 * came, so nothing is decoded here. A message over MAX_MESSAGE_BYTES, or over what its service says,
 * ends its call with RESOURCE_EXHAUSTED, a method that nobody serves with UNIMPLEMENTED; both disturb
 * nothing else.
 *
 * Flow control windows are 1 MiB both ways, for the default of 64 KiB halves what a stream can
 * carry. What a peer has not read stands in its window and in the queue before the stream
 * (stream-pump.ts), and nowhere else.
 */

import { once } from 'node:events';
import { createSecureServer, createServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { formatAddress } from './address.ts';
import { announce } from './announce.ts';
import { warnOfUnknown } from './cipher-suites.ts';
import { Connections } from './grpc-server/connections.ts';
import { Dispatcher } from './grpc-server/dispatch.ts';
import { FollowingClient } from './grpc-tls.ts';
import { listenAddress, listenError } from './listen-error.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { watchRefusals } from './refusals.ts';
import { contextOptions, type Tls } from './tls.ts';

export const MAX_MESSAGE_BYTES: number = 10 * 1024 * 1024;
export const WINDOW_BYTES: number = 1024 * 1024;

const REFUSED_NAME = 'grpc_refused';
const REFUSED_HELP = 'Calls that were ended with an error, by its code.';

const DRAIN_MS_DEFAULT = 5000;
const STREAMS_MAX_DEFAULT = 10_000;
const CONNECTIONS_MAX_DEFAULT = 5000;
const HANDSHAKE_LIMIT_MS = 10_000;

// A peer that answers no ping for this long is gone. Go peers refuse pings under 10 s apart.
const KEEPALIVE_TIME_MS = 15_000;
const KEEPALIVE_LIMIT_MS = 20_000;

// A peer that comes back is tried again within seconds; grpc-js's own limit is two minutes.
const RECONNECT_FIRST_MS = 200;
const RECONNECT_MAX_MS = 3000;

/** Serves one method: its call, and how to answer it if it gets one message. */
export type GrpcHandler = (call: never, answer: never) => unknown;

export interface GrpcService {
  readonly definition: grpc.ServiceDefinition;
  readonly implementation: Readonly<Record<string, GrpcHandler>>;
  /** The largest message of its methods, either way. Default MAX_MESSAGE_BYTES. */
  readonly messageBytesMax?: number;
}

export interface GrpcListenOptions {
  /** `host:port`; port 0 is any free one. */
  readonly address: string;
  /** Mutual TLS: clients without a certificate of this CA are refused. Undefined: no TLS. */
  readonly tls: Tls | undefined;
  /** What is served; or a function of the signal that is aborted when draining begins. */
  readonly services: readonly GrpcService[] | ((draining: AbortSignal) => readonly GrpcService[]);
  readonly log: Log;
  /** Counts refused connections, and calls by the status that they were refused with. */
  readonly metrics?: Metrics;
  /** How long calls may take to end once draining has begun. Default 5 s. */
  readonly drainMs?: number;
  /** Calls at a time on one connection. Default 10,000. */
  readonly maxStreams?: number;
  /** Connections at a time. Default 5,000. */
  readonly maxConnections?: number;
  /** How often a peer is pinged, and how long its answer may take. Default 15 and 20 s. */
  readonly keepaliveMs?: number;
  readonly keepaliveLimitMs?: number;
  /** Listen without TLS on an address that others can reach. */
  readonly allowPublic?: boolean;
}

export interface GrpcListener extends AsyncDisposable {
  /** `host:port` as bound. */
  readonly address: string;
  readonly port: number;
  /** Aborted when draining begins; a stream that lives as long as its client must then end. */
  readonly draining: AbortSignal;
}

export interface DialOptions {
  readonly address: string;
  readonly tls: Tls | undefined;
  /** The name that the server's certificate must carry. */
  readonly serverName: string;
  /** The largest message, either way. Default MAX_MESSAGE_BYTES. */
  readonly messageBytesMax?: number;
  /** More of grpc-js's channel options, for tests and tools. */
  readonly channelOptions?: grpc.ChannelOptions;
}

/** Opens a gRPC port. Rejects with a ListenError that names the address. */
export async function listenGrpc(options: GrpcListenOptions): Promise<GrpcListener> {
  const { tls, log, metrics } = options;
  const wanted = listenAddress(options.address, {
    secure: tls !== undefined,
    allowPublic: options.allowPublic === true,
  });
  const draining = new AbortController();
  const services =
    typeof options.services === 'function' ? options.services(draining.signal) : options.services;
  const dispatcher = new Dispatcher({
    services,
    messageBytesMax: MAX_MESSAGE_BYTES,
    onStatus: refusalCounter(metrics),
  });

  if (tls !== undefined) warnOfUnknown(tls.suites, log);
  const server = http2Server(tls, options.maxStreams ?? STREAMS_MAX_DEFAULT);
  server.maxConnections = options.maxConnections ?? CONNECTIONS_MAX_DEFAULT;
  const connections = new Connections(server, {
    windowBytes: WINDOW_BYTES,
    keepaliveMs: options.keepaliveMs ?? KEEPALIVE_TIME_MS,
    keepaliveLimitMs: options.keepaliveLimitMs ?? KEEPALIVE_LIMIT_MS,
  });
  watchRefusals(server, { kind: 'grpc', log, metrics });
  server.on('stream', dispatcher.serve);
  try {
    server.listen(wanted.port, wanted.host);
    await once(server, 'listening');
  } catch (error) {
    throw listenError(formatAddress(wanted), error);
  }
  const following = tls?.source?.follow(
    (pem) => (server as unknown as TlsServer).setSecureContext(contextOptions(pem, tls.suites)),
    { log, metrics },
  );

  const { port } = server.address() as AddressInfo; // It listens on TCP.
  const address = formatAddress({ host: wanted.host, port });
  announce('grpc', address);
  return {
    address,
    port,
    draining: draining.signal,
    async [Symbol.asyncDispose](): Promise<void> {
      following?.[Symbol.dispose]();
      const drained = new Promise<void>((resolve) => server.close(() => resolve()));
      draining.abort();
      connections.drain();
      const cut = setTimeout(() => connections.cut(), options.drainMs ?? DRAIN_MS_DEFAULT);
      await drained;
      clearTimeout(cut);
    },
  };
}

function http2Server(tls: Tls | undefined, maxConcurrentStreams: number): Http2Server {
  const options = {
    settings: { maxConcurrentStreams, initialWindowSize: WINDOW_BYTES },
    // What a connection may hold is bounded by its windows, and by who writes to its streams.
    maxSessionMemory: Number.MAX_SAFE_INTEGER,
  };
  if (tls === undefined) return createServer(options);
  const verify = { requestCert: true, rejectUnauthorized: true };
  return createSecureServer({
    ...options,
    ...contextOptions(tls, tls.suites),
    ...verify,
    handshakeTimeout: HANDSHAKE_LIMIT_MS,
  });
}

/** Counts the calls that this server ended with an error, by its code. */
function refusalCounter(metrics: Metrics | undefined): (code: grpc.status) => void {
  return (code) => {
    if (code === grpc.status.OK) return;
    metrics?.counter(REFUSED_NAME, REFUSED_HELP, { code: grpc.status[code] ?? 'UNKNOWN' }).add(1);
  };
}

/** A client for one address. It connects when it is first used, and again whenever it must. */
export function dial(options: DialOptions): grpc.Client {
  quietGrpc();
  const messageBytesMax = options.messageBytesMax ?? MAX_MESSAGE_BYTES;
  return new FollowingClient(options.address, options.tls, {
    // The retry layer would keep a copy of what a long stream has sent.
    'grpc.enable_retries': 0,
    'grpc-node.flow_control_window': WINDOW_BYTES,
    'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_LIMIT_MS,
    'grpc.keepalive_permit_without_calls': 1,
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_send_message_length': messageBytesMax,
    'grpc.initial_reconnect_backoff_ms': RECONNECT_FIRST_MS,
    'grpc.max_reconnect_backoff_ms': RECONNECT_MAX_MS,
    // Each client has its own connection; grpc-js would otherwise share one between them.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.service_config_disable_resolution': 1,
    'grpc.enable_http_proxy': 0,
    'grpc.enable_channelz': 0,
    'grpc.ssl_target_name_override': options.serverName,
    'grpc.default_authority': options.serverName,
    ...options.channelOptions,
  });
}

/**
 * grpc-js prints to stderr what it also tells by an error or a status. Ours go through the log,
 * with limits, so that is switched off.
 */
function quietGrpc(): void {
  grpc.setLogVerbosity(grpc.logVerbosity.NONE);
}
