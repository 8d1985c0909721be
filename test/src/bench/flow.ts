/**
 * A flow of envelopes through processes under test, and what it costs them.
 *
 *     feed ──▶ processes under test ──▶ outlet
 *
 * Two flows that are to be compared take turns of a second or so, so that whatever else the machine
 * does meanwhile falls on both. A turn ends when all that was sent has come out, or nothing does.
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
  /** How many times the rate it gets that others get beside which it is played. Default once. */
  readonly times?: number;
  /** How long it runs before it is measured beside others. Default 4; 0 if it is warm already. */
  readonly warmUpSeconds?: number;
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
  /** CPU time of all processes for each envelope that came out, however often it did. */
  readonly cpuMicros: number;
}

export interface ProcessUsage {
  readonly name: string;
  readonly cpuMicros: number;
  readonly peakRssBytes: number;
}

/** After the fill of a cache (fill.ts) it is more than twice as long. */
const WARM_UP_SECONDS = 4;
const TURNS = 3;
const LOOK_MS = 50;
/** Rounds of messages are up to 100 ms long (plumbing/src/pace.ts): so long a silence is an end. */
const SILENCE_MS = 1000;
const SETTLE_LIMIT_MS = 10_000;

interface TurnsCommand extends LoadCommand {
  /** How many turns share the seconds. Default TURNS; more where little is to be told from noise. */
  readonly turns?: number | undefined;
}

/** Measures each flow at the same rate, or its own times that, in turns; the usages are in the order of the flows. */
export async function inTurns(flows: readonly Flow[], command: TurnsCommand): Promise<Usage[]> {
  const { perSecond, seconds, turns: rounds = TURNS } = command;
  const rateOf = ({ times = 1 }: Flow): number => perSecond * times;
  for (const flow of flows) await warmUp(flow, rateOf(flow), flow.warmUpSeconds);
  const turns: Turn[][] = flows.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, flow] of flows.entries()) {
      const turn = { perSecond: rateOf(flow), seconds: seconds / rounds };
      turns[index]?.push(await play(flow, turn));
    }
  }
  return Promise.all(flows.map((flow, index) => usageOf(flow, turns[index] ?? [])));
}

/** Lets a flow run until its code is compiled and its connections stand. */
export async function warmUp(
  flow: Flow,
  perSecond: number,
  seconds: number = WARM_UP_SECONDS,
): Promise<void> {
  if (seconds > 0) await through(flow, { perSecond, seconds });
}

/** Measures one flow for one turn, when it is warm. */
export async function measure(flow: Flow, command: LoadCommand): Promise<Usage> {
  return usageOf(flow, [await play(flow, command)]);
}

interface Passed {
  /** How long it was sent for. */
  readonly seconds: number;
  readonly sent: number;
  readonly received: number;
}

interface Turn extends Passed {
  readonly cpu: readonly number[];
}

async function play(flow: Flow, command: LoadCommand): Promise<Turn> {
  const before = await cpuOf(flow);
  const passed = await through(flow, command);
  const cpu = (await cpuOf(flow)).map((used, index) => used - (before[index] ?? 0));
  return { ...passed, cpu };
}

/** Sends, and waits until it has come out. */
async function through(flow: Flow, command: LoadCommand): Promise<Passed> {
  const before = await flow.outlet.ask({});
  const startedAt = performance.now();
  const { envelopes: sent } = await flow.feed.ask(command);
  const seconds = (performance.now() - startedAt) / 1000;
  const all = before.envelopes + sent * (flow.copies ?? 1);
  return { seconds, sent, received: (await settled(flow, all)) - before.envelopes };
}

/** Waits until the outlet has counted all, or nothing comes any more; returns its count. */
async function settled({ outlet }: Flow, all: number): Promise<number> {
  const until = performance.now() + SETTLE_LIMIT_MS;
  let last = (await outlet.ask({})).envelopes;
  let lastAt = performance.now();
  for (;;) {
    const now = performance.now();
    if (last >= all || now - lastAt > SILENCE_MS || now > until) return last;
    await sleep(LOOK_MS);
    const { envelopes } = await outlet.ask({});
    if (envelopes !== last) lastAt = performance.now();
    last = envelopes;
  }
}

async function usageOf(flow: Flow, turns: readonly Turn[]): Promise<Usage> {
  const copies = flow.copies ?? 1;
  const sent = sum(turns.map((turn) => turn.sent));
  const received = sum(turns.map((turn) => turn.received));
  if (received === 0) throw new Error(`of ${sent} envelopes that were sent, none came out`);
  const processes = await Promise.all(
    flow.processes.map(async ({ name, pid }, index) => ({
      name,
      cpuMicros: (sum(turns.map(({ cpu }) => cpu[index] ?? 0)) * 1e6) / (received / copies),
      peakRssBytes: await peakRssBytes(pid),
    })),
  );
  return {
    seconds: sum(turns.map((turn) => turn.seconds)),
    sent,
    received,
    lost: sent * copies - received,
    processes,
    cpuMicros: sum(processes.map(({ cpuMicros }) => cpuMicros)),
  };
}

function cpuOf({ processes }: Flow): Promise<number[]> {
  return Promise.all(processes.map(({ pid }) => cpuSeconds(pid)));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
