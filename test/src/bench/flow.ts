/**
 * A flow of envelopes through processes under test, and what it costs them.
 *
 *     feed ──▶ processes under test ──▶ outlet
 *
 * Two flows that are to be compared take turns of a second or so, so that whatever else the machine
 * does meanwhile falls on both. A turn ends when nothing comes out any more.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds, peakRssBytes } from './proc.ts';
import type { LoadCommand, Report } from './worker.ts';

export interface Flow {
  readonly feed: { ask(command: LoadCommand): Promise<Report> };
  readonly outlet: { ask(command: object): Promise<Report> };
  readonly processes: readonly Measured[];
  /** How often each envelope comes out. Default once. */
  readonly copies?: number;
}

/** A process under test. */
export interface Measured {
  readonly name: string;
  readonly pid: number | undefined;
}

/** What went through a flow, and what that cost. */
export interface Usage {
  readonly seconds: number;
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  readonly processes: readonly ProcessUsage[];
  /** CPU time of all processes for each envelope sent. */
  readonly cpuMicros: number;
}

export interface ProcessUsage {
  readonly name: string;
  readonly cpuMicros: number;
  readonly peakRssBytes: number;
}

const WARM_UP_SECONDS = 6;
const TURNS = 3;
const SETTLED_MS = 150;
const SETTLE_LIMIT_MS = 5000;

/** Measures each flow at the same rate, in turns; the usages are in the order of the flows. */
export async function inTurns(flows: readonly Flow[], command: LoadCommand): Promise<Usage[]> {
  for (const flow of flows) await warmUp(flow, command.perSecond);
  const turn = { perSecond: command.perSecond, seconds: command.seconds / TURNS };
  const turns: Turn[][] = flows.map(() => []);
  for (let round = 0; round < TURNS; round += 1) {
    for (const [index, flow] of flows.entries()) turns[index]?.push(await play(flow, turn));
  }
  return Promise.all(flows.map((flow, index) => usageOf(flow, turns[index] ?? [])));
}

/** Lets a flow run until its code is compiled and its connections stand. */
export async function warmUp(flow: Flow, perSecond: number): Promise<void> {
  await flow.feed.ask({ perSecond, seconds: WARM_UP_SECONDS });
  await settled(flow);
}

interface Turn {
  readonly seconds: number;
  readonly sent: number;
  readonly received: number;
  readonly cpu: readonly number[];
}

async function play(flow: Flow, command: LoadCommand): Promise<Turn> {
  const before = await flow.outlet.ask({});
  const cpuBefore = await cpuOf(flow);
  const startedAt = performance.now();
  const { envelopes: sent } = await flow.feed.ask(command);
  const seconds = (performance.now() - startedAt) / 1000;
  const after = await settled(flow);
  const cpu = (await cpuOf(flow)).map((used, index) => used - (cpuBefore[index] ?? 0));
  return { seconds, sent, received: after.envelopes - before.envelopes, cpu };
}

/** Measures one flow for one turn, when it is warm. */
export async function measure(flow: Flow, command: LoadCommand): Promise<Usage> {
  return usageOf(flow, [await play(flow, command)]);
}

async function usageOf(flow: Flow, turns: readonly Turn[]): Promise<Usage> {
  const sent = sum(turns.map((turn) => turn.sent));
  const received = sum(turns.map((turn) => turn.received));
  const processes = await Promise.all(
    flow.processes.map(async ({ name, pid }, index) => ({
      name,
      cpuMicros: (sum(turns.map(({ cpu }) => cpu[index] ?? 0)) * 1e6) / sent,
      peakRssBytes: await peakRssBytes(pid),
    })),
  );
  return {
    seconds: sum(turns.map((turn) => turn.seconds)),
    sent,
    received,
    lost: sent * (flow.copies ?? 1) - received,
    processes,
    cpuMicros: sum(processes.map(({ cpuMicros }) => cpuMicros)),
  };
}

/** Waits until nothing comes out any more, or its time is up; returns the last report. */
export async function settled({ outlet }: Flow): Promise<Report> {
  const until = performance.now() + SETTLE_LIMIT_MS;
  let last = await outlet.ask({});
  for (;;) {
    await sleep(SETTLED_MS);
    const report = await outlet.ask({});
    if (report.envelopes === last.envelopes || performance.now() > until) return report;
    last = report;
  }
}

function cpuOf({ processes }: Flow): Promise<number[]> {
  return Promise.all(processes.map(({ pid }) => cpuSeconds(pid)));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
