/** Flows through several processes: to a nozzle's websocket, to drains, from statsd. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fillCaches } from './fill.ts';
import type { Flow } from './flow.ts';
import { load, measured, reader } from './flows.ts';
import { peerOf, type Stage, type StartOptions } from './stage.ts';
import { type Shape, sourceOf } from './worker.ts';

const DOPPLER = 'doppler az1/0';
const APPS = 50;
const LINES_PER_DATAGRAM = 20;

type NodeOptions = Pick<StartOptions, 'nodeOptions'>;

/** From an agent, or from a Doppler, over a traffic controller to the websocket of a firehose. */
export async function toWebsocket(
  stage: Stage,
  shape: Shape,
  { from, ...options }: NodeOptions & { readonly from: 'metron' | 'doppler' },
): Promise<Flow> {
  const first = from === 'metron' ? 'metron az1' : DOPPLER;
  const names = [...new Set([first, DOPPLER, 'traffic-controller'])];
  const started = await stage.start({ names, ...options });
  // Before the websocket is there: a slow one is hung up.
  await fillCaches(stage, [started(DOPPLER)], shape);
  const address = started('traffic-controller').address('ws');
  return {
    outlet: await stage.worker('websocket', { address, path: '/firehose/bench' }),
    feed: await load(stage, [peerOf(started(first), from)], { shape }),
    processes: measured(names.map(started)),
  };
}

/** From a Doppler to the drains of 50 apps over TCP, one each. */
export async function toDrains(
  stage: Stage,
  shape: Shape,
  options: NodeOptions = {},
): Promise<Flow> {
  const outlet = await stage.worker('syslog', {});
  const bindingsFile = join(stage.folder, 'bindings.json');
  const apps = Array.from({ length: APPS }, (_, index) => sourceOf(index));
  const credentials = [{ apps: apps.map((id) => ({ hostname: 'acme.dev.shop', app_id: id })) }];
  const url = `syslog://${outlet.ready.address}`;
  await writeFile(bindingsFile, JSON.stringify([{ url, credentials }]));

  const names = [DOPPLER, 'reverse-log-proxy', 'syslog-adapter'];
  const started = await stage.start({ names, bindingsFile, ...options });
  await fillCaches(stage, [started(DOPPLER)], shape);
  return {
    outlet,
    feed: await load(stage, [peerOf(started(DOPPLER), 'doppler')], { shape, sources: APPS }),
    processes: measured(names.map(started)),
  };
}

/** From statsd lines, twenty in a datagram, to a Doppler. */
export async function fromStatsd(stage: Stage, options: NodeOptions = {}): Promise<Flow> {
  const names = [DOPPLER, 'metron az1', 'statsd-injector'];
  const started = await stage.start({ names, ...options });
  const [, port] = started('statsd-injector').address('udp').split(':');
  return {
    outlet: await reader(stage, [peerOf(started(DOPPLER), 'doppler')]),
    feed: await stage.worker('statsd', { port: Number(port), perDatagram: LINES_PER_DATAGRAM }),
    processes: measured(names.map(started)),
  };
}

/** The flow, of whose processes only this one is looked at. */
export function only(flow: Flow, name: string): Flow {
  return { ...flow, processes: flow.processes.filter((process) => process.name === name) };
}
