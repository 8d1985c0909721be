/**
 * A port for a protocol that is neither HTTP nor gRPC, over TCP or TLS, with the limits that all of
 * ours share: handshakes that fail and connections past the most are refused and counted, and
 * changed certificates are taken. Others may connect without TLS: whoever opens such a port says
 * that it takes from anybody.
 */

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { formatAddress } from './address.ts';
import { announce, type ListenerKind } from './announce.ts';
import { listenAddress, listenError } from './listen-error.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { watchRefusals } from './refusals.ts';
import { contextOptions, type KeyPair, type Tls } from './tls.ts';

const HANDSHAKE_LIMIT_MS = 10_000;

export interface TcpListenOptions {
  /** `host:port`; port 0 is any free one. */
  readonly address: string;
  /** With a `ca`, clients must bring a certificate of it. Undefined: no TLS. */
  readonly tls: KeyPair | Tls | undefined;
  /** How it announces itself. */
  readonly kind: ListenerKind;
  readonly maxConnections: number;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Hears of each connection, once its handshake is done. It must listen to the socket's errors. */
  readonly onConnection: (socket: Socket) => void;
}

export interface TcpListener extends AsyncDisposable {
  readonly port: number;
}

/** Opens a port. Rejects with a ListenError that names the address. */
export async function listenTcp(options: TcpListenOptions): Promise<TcpListener> {
  const { tls, kind, log, metrics } = options;
  const wanted = listenAddress(options.address, { secure: tls !== undefined, allowPublic: true });
  const server = serverOf(options);
  const sockets = new Set<Socket>();
  server.maxConnections = options.maxConnections;
  // Those whose handshake is not done are among these, too.
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  watchRefusals(server, { kind, log, metrics });
  try {
    server.listen(wanted.port, wanted.host);
    await once(server, 'listening');
  } catch (error) {
    throw listenError(formatAddress(wanted), error);
  }
  const following = tls?.source?.follow(
    (pem) => (server as TlsServer).setSecureContext(contextOptions(pem)), // There is TLS.
    { log, metrics },
  );
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  announce(kind, formatAddress({ host: wanted.host, port }));
  return {
    port,
    async [Symbol.asyncDispose](): Promise<void> {
      following?.[Symbol.dispose]();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function serverOf({ tls, onConnection }: TcpListenOptions): Server | TlsServer {
  if (tls === undefined) return createServer(onConnection);
  const asksForCertificate = 'ca' in tls;
  return createTlsServer(
    {
      ...contextOptions(tls),
      handshakeTimeout: HANDSHAKE_LIMIT_MS,
      requestCert: asksForCertificate,
      rejectUnauthorized: asksForCertificate,
    },
    onConnection,
  );
}
