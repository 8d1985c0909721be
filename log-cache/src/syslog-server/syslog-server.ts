/**
 * Takes RFC 5424 over TCP or TLS, and sends it on as envelopes.
 *
 *     senders ──▶ connection: framing ─▶ message ─▶ envelope ──▶ nozzle ──▶ Log Cache, or agent
 *
 * What is lost, always counted: see connection.ts and nozzle.ts. What all connections hold of
 * messages that are not all there is at most PENDING_BYTES_MAX; when one brings more, the one that
 * holds the most is closed, so that those who finish what they began are not.
 *
 * Disposing takes no more in, closes the connections, and sends what waits.
 */

import type { Socket } from 'node:net';
import {
  createLogger,
  type Log,
  listenTcp,
  Metrics,
  observability,
  readKeyPair,
  readTls,
  systemClock,
} from '@standpipe/plumbing';
import { nowNanoseconds } from '@standpipe/protos';
import type { SyslogServerConfig } from './config.ts';
import { Connection, type ConnectionContext } from './connection.ts';
import { SyslogEnvelope } from './envelope.ts';
import { SyslogMessage } from './message.ts';
import { syslogServerMetrics } from './metrics.ts';
import { Nozzle, type NozzleOptions } from './nozzle.ts';

const PENDING_BYTES_MAX = 256 * 2 ** 20;

export interface SyslogServer extends AsyncDisposable {
  readonly port: number;
  readonly metricsPort: number;
  readonly metrics: Metrics;
}

/** For tests. */
interface SyslogServerOptions extends Pick<NozzleOptions, 'sendLimitMs'> {
  /** What all connections may hold of messages that are not all there. Default 256 MiB. */
  readonly pendingBytesMax?: number;
}

export async function startSyslogServer(
  config: SyslogServerConfig,
  log: Log = createLogger('log-cache-syslog-server'),
  options: SyslogServerOptions = {},
): Promise<SyslogServer> {
  const { destination } = config;
  const { sendLimitMs, pendingBytesMax = PENDING_BYTES_MAX } = options;
  const tls = config.tls && ('ca' in config.tls ? readTls(config.tls) : readKeyPair(config.tls));
  const sendTls = destination.tls && readTls(destination.tls);
  const metrics = new Metrics({ origin: 'log-cache-syslog-server' });
  const told = await observability(config.observability, metrics, log);
  const nozzle = new Nozzle({
    destination: { ...destination, tls: sendTls },
    metrics,
    log,
    clock: systemClock,
    ...(sendLimitMs !== undefined && { sendLimitMs }),
  });
  const connections = new Set<Connection>();
  const context = contextOf(config, { metrics, log, connections, nozzle, pendingBytesMax });
  try {
    const listener = await listenTcp({
      address: config.address,
      tls,
      kind: 'syslog',
      maxConnections: config.maxConnections,
      log,
      metrics,
      onConnection: (socket: Socket) => {
        const connection = new Connection(socket, context);
        connections.add(connection);
        socket.once('close', () => connections.delete(connection));
      },
    });
    return {
      port: listener.port,
      metricsPort: told.port,
      metrics,
      async [Symbol.asyncDispose](): Promise<void> {
        const closed = listener[Symbol.asyncDispose]();
        for (const connection of connections) connection.end();
        await closed;
        await nozzle[Symbol.asyncDispose]();
        await told[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await nozzle[Symbol.asyncDispose]();
    await told[Symbol.asyncDispose]();
    throw error;
  }
}

function contextOf(
  config: SyslogServerConfig,
  parts: {
    readonly metrics: Metrics;
    readonly log: Log;
    readonly connections: ReadonlySet<Connection>;
    readonly nozzle: Nozzle;
    readonly pendingBytesMax: number;
  },
): ConnectionContext {
  const { log, connections, nozzle, pendingBytesMax } = parts;
  let pendingBytes = 0;
  return {
    ...config,
    message: new SyslogMessage(),
    envelope: new SyslogEnvelope({ trim: config.trim, now: nowNanoseconds }),
    metrics: syslogServerMetrics(parts.metrics, {
      connections: () => connections.size,
      pendingBytes: () => pendingBytes,
    }),
    log,
    emit: (envelope) => nozzle.put(envelope),
    hold: (bytes) => {
      pendingBytes += bytes;
      // Whoever is closed gives back what it held.
      while (bytes > 0 && pendingBytes > pendingBytesMax) {
        const connection = fullest(connections);
        if (connection === undefined) return;
        connection.giveWay();
      }
    },
  };
}

function fullest(connections: ReadonlySet<Connection>): Connection | undefined {
  let found: Connection | undefined;
  for (const connection of connections) {
    if (connection.heldBytes > (found?.heldBytes ?? 0)) found = connection;
  }
  return found;
}
