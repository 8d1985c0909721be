/**
 * gRPC servers and clients with the limits that all of ours share.
 *
 * Messages pass through as Buffers: a service definition's serializers hand over the bytes that
 * came, so nothing is decoded here. A message over MAX_MESSAGE_BYTES ends its call with
 * RESOURCE_EXHAUSTED, a method that nobody serves with UNIMPLEMENTED; both disturb nothing else.
 *
 * Flow control windows are 1 MiB both ways, for the default of 64 KiB halves what a stream can
 * carry. What a peer has not read stands in its window and in the queue before the stream
 * (stream-pump.ts), and nowhere else.
 */

import type { Http2Server, Http2Session, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { formatAddress } from './address.ts';
import { announce } from './announce.ts';
import { warnOfUnknown } from './cipher-suites.ts';
import { FollowingClient, MutualTls } from './grpc-tls.ts';
import { listenAddress, listenError } from './listen-error.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { watchRefusals } from './refusals.ts';
import type { Tls } from './tls.ts';

export const MAX_MESSAGE_BYTES: number = 10 * 1024 * 1024;
export const WINDOW_BYTES: number = 1024 * 1024;

const REFUSED_NAME = 'grpc_refused';
const REFUSED_HELP = 'Calls that were ended with an error, by its code.';

const DRAIN_MS_DEFAULT = 5000;
const STREAMS_MAX_DEFAULT = 10_000;
const CONNECTIONS_MAX_DEFAULT = 5000;

// A peer that answers no ping for this long is gone. Go peers refuse pings under 10 s apart.
const KEEPALIVE_TIME_MS = 15_000;
const KEEPALIVE_LIMIT_MS = 20_000;

// A peer that comes back is tried again within seconds; grpc-js's own limit is two minutes.
const RECONNECT_FIRST_MS = 200;
const RECONNECT_MAX_MS = 3000;

export interface GrpcService {
  readonly definition: grpc.ServiceDefinition;
  readonly implementation: grpc.UntypedServiceImplementation;
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
  quietGrpc();

  const server = new grpc.Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_concurrent_streams': options.maxStreams ?? STREAMS_MAX_DEFAULT,
    'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_LIMIT_MS,
    'grpc.enable_channelz': 0,
  });
  const insides = insidesOf(server);
  insides.configure();

  const draining = new AbortController();
  const services =
    typeof options.services === 'function' ? options.services(draining.signal) : options.services;
  for (const { definition, implementation } of services) {
    server.addService(definition, implementation);
  }

  if (tls !== undefined) warnOfUnknown(tls.suites, log);
  const credentials =
    tls === undefined
      ? grpc.ServerCredentials.createInsecure()
      : new MutualTls(tls, { log, metrics });
  const port = await bind(server, formatAddress(wanted), credentials);
  const connections = insides.watch(
    options.maxConnections ?? CONNECTIONS_MAX_DEFAULT,
    (http2Server) => {
      watchRefusals(http2Server, { kind: 'grpc', log, metrics });
      if (metrics !== undefined) http2Server.on('stream', countRefused(metrics));
    },
  );

  const address = formatAddress({ host: wanted.host, port });
  announce('grpc', address);
  return {
    address,
    port,
    draining: draining.signal,
    async [Symbol.asyncDispose](): Promise<void> {
      const drained = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      draining.abort();
      const cut = setTimeout(() => {
        server.forceShutdown();
        for (const connection of connections) connection.destroy();
      }, options.drainMs ?? DRAIN_MS_DEFAULT);
      await drained;
      clearTimeout(cut);
    },
  };
}

/** A client for one address. It connects when it is first used, and again whenever it must. */
export function dial(options: DialOptions): grpc.Client {
  quietGrpc();
  return new FollowingClient(options.address, options.tls, {
    // The retry layer would keep a copy of what a long stream has sent.
    'grpc.enable_retries': 0,
    'grpc-node.flow_control_window': WINDOW_BYTES,
    'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_LIMIT_MS,
    'grpc.keepalive_permit_without_calls': 1,
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
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

function bind(
  server: grpc.Server,
  address: string,
  credentials: grpc.ServerCredentials,
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) resolve(port);
      else reject(listenError(address, error));
    });
  });
}

/**
 * grpc-js prints to stderr what it also tells by an error or a status. Ours go through the log,
 * with limits, so that is switched off.
 */
function quietGrpc(): void {
  grpc.setLogVerbosity(grpc.logVerbosity.NONE);
}

/**
 * Counts the calls that this server ended with an error, among them those that grpc-js refuses
 * before a handler hears of them: a message too large, a method that nobody serves.
 */
function countRefused(metrics: Metrics): (stream: ServerHttp2Stream) => void {
  return (stream) => {
    stream.once('close', () => {
      // A call that is refused at once has its status in the headers, for there is nothing else.
      const status = stream.sentTrailers?.['grpc-status'] ?? stream.sentHeaders?.['grpc-status'];
      const code = Number(status ?? grpc.status.OK);
      if (code === grpc.status.OK) return;
      metrics.counter(REFUSED_NAME, REFUSED_HELP, { code: grpc.status[code] ?? 'UNKNOWN' }).add(1);
    });
  };
}

/** What of grpc.Server is private in its types, and needed here. */
interface ServerInsides {
  readonly commonServerOptions: { settings?: Record<string, unknown>; [name: string]: unknown };
  readonly http2Servers: ReadonlyMap<Http2Server, unknown>;
}

/**
 * The one place that reaches into grpc-js. Its server knows no option for flow control windows
 * (grpc-node pull request 3058), so the stream's window goes into the HTTP/2 settings before
 * binding, and the connection's is set on each session; both are needed. It gives no way to its
 * sockets either, without which a connection that never finished its handshake can't be cut.
 * package.json therefore pins the exact version, and a test proves the windows.
 */
function insidesOf(server: grpc.Server): {
  configure(): void;
  watch(maxConnections: number, onServer: (server: Http2Server) => void): ReadonlySet<Socket>;
} {
  const insides = server as unknown as ServerInsides; // Private, as said above.
  const connections = new Set<Socket>();
  return {
    configure() {
      const options = insides.commonServerOptions;
      options.settings = { ...options.settings, initialWindowSize: WINDOW_BYTES };
    },
    watch(maxConnections, onServer) {
      for (const http2Server of insides.http2Servers.keys()) {
        http2Server.maxConnections = maxConnections;
        http2Server.on(
          'session',
          (session: Http2Session & { setLocalWindowSize(n: number): void }) =>
            session.setLocalWindowSize(WINDOW_BYTES),
        );
        http2Server.on('connection', (socket: Socket) => {
          connections.add(socket);
          socket.once('close', () => connections.delete(socket));
        });
        onServer(http2Server);
      }
      return connections;
    },
  };
}
