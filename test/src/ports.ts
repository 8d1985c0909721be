/**
 * Which port each listener of a pipeline gets.
 *
 * All processes must be told the Dopplers' addresses before the Dopplers listen, so tests cannot
 * leave the choice to the kernel: they take ports below the range from which the kernel gives
 * them to outgoing connections, and try each before it is handed out.
 */

import { createServer } from 'node:net';

/** The port for a listener, by its name in the topology. */
export type PortOf = (listener: string) => number;

/** The ports that people know; `offset` is added to each, for a second pipeline beside the first. */
export function localPorts(offset: number): PortOf {
  return (listener) => {
    const port = LOCAL_PORTS[listener];
    if (port === undefined) throw new Error(`no port is known for ${listener}`);
    return port + offset;
  };
}

/** A free port for each of these listeners. */
export async function freePorts(listeners: readonly string[]): Promise<PortOf> {
  const ports = new Map<string, number>();
  for (const listener of listeners) ports.set(listener, await freePort(new Set(ports.values())));
  return (listener) => {
    const port = ports.get(listener);
    if (port === undefined) throw new Error(`no port was reserved for ${listener}`);
    return port;
  };
}

const LOCAL_PORTS: Readonly<Record<string, number>> = {
  dropsonde: 3457,
  'metron az1': 3458,
  'metron az2': 3459,
  'statsd-injector': 8125,
  'doppler az1/0': 8082,
  'doppler az2/0': 8083,
  'log-cache az1/0': 8090,
  'log-cache az2/0': 8091,
  'traffic-controller': 8081,
  'reverse-log-proxy': 8084,
  'rlp-gateway': 8088,
  platform: 9001,
  rsyslog: 5514,
};

const LOWEST = 10_000;
const RANGE = 20_000;
const TRIES = 1000;

async function freePort(taken: ReadonlySet<number>): Promise<number> {
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const port = LOWEST + Math.floor(Math.random() * RANGE);
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new Error(`no free port from ${LOWEST} to ${LOWEST + RANGE}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Those of the listeners whose port something else has already. */
export async function takenPorts(listeners: readonly string[], portOf: PortOf): Promise<number[]> {
  const ports = listeners.map(portOf);
  const free = await Promise.all(ports.map(isFree));
  return ports.filter((_, index) => !free[index]);
}
