/**
 * How long an envelope is on its way from an agent's door to a subscriber: through an agent and a
 * Doppler. It has the time when it was sent in its timestamp.
 *
 * Idle is one envelope at a time, so few that each leaves at once. A trickle is one at a time as
 * well, but so many that agent and Doppler gather them in rounds (plumbing/src/pace.ts): the worst
 * there is, for messages are never full. Busy is many at a time. Each has enough for a p99.
 */

import { fillCaches } from '../fill.ts';
import { measure, warmUp } from '../flow.ts';
import { load, measured, reader } from '../flows.ts';
import { type Figures, figuresOf, type PlayOptions, type Scenario } from '../scenario.ts';
import { peerOf } from '../stage.ts';

const IDLE = { detail: 'idle', perSecond: 200, perMessage: 1 };
const TRICKLE = { detail: 'trickle', perSecond: 3000, perMessage: 1 };
const BUSY = { detail: 'busy', perSecond: 50_000, perMessage: 100 };
const SAMPLES_AT_LEAST = 1200;
const NAMES = ['metron az1', 'doppler az1/0'];

export const latency: Scenario = {
  name: 'latency',
  about: 'latency: agent to subscriber',
  shapes: ['lean'],
  async play(options) {
    const { rateFactor } = options;
    return [
      await timed(options, IDLE),
      await timed(options, { ...TRICKLE, perSecond: TRICKLE.perSecond * rateFactor }),
      await timed(options, { ...BUSY, perSecond: BUSY.perSecond * rateFactor }),
    ];
  },
};

async function timed(
  { stage, shape, seconds }: PlayOptions,
  { detail, perSecond, perMessage }: typeof IDLE,
): Promise<Figures> {
  const started = await stage.start({ names: NAMES });
  await fillCaches(stage, [started('doppler az1/0')], shape);
  const outlet = await reader(stage, [peerOf(started('doppler az1/0'), 'doppler')], {
    firehoses: 1,
    times: true,
  });
  const feed = await load(stage, [peerOf(started('metron az1'), 'metron')], { shape, perMessage });
  const processes = measured(NAMES.map(started));
  const warm = { feed, outlet, processes };
  await warmUp(warm, perSecond);

  await outlet.ask({ forgetTimes: true });
  const long = Math.max(seconds, SAMPLES_AT_LEAST / perSecond);
  const usage = await measure(warm, { perSecond, seconds: long });
  const { p50Ms = Number.NaN, p99Ms = Number.NaN } = await outlet.ask({});
  const further = { 'p50 ms': p50Ms, 'p99 ms': p99Ms };
  return figuresOf({ shape, detail, asked: perSecond, usage, further });
}
