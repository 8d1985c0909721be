/**
 * How long an envelope is on its way from an agent's door to a subscriber: through an agent and a
 * Doppler. It has the time when it was sent in its timestamp.
 *
 * Idle is one envelope at a time, each long after the one before. A trickle is one at a time as
 * well, but so many that the Doppler gathers them for a subscriber (doppler/src/pace.ts).
 */

import { measure, warmUp } from '../flow.ts';
import { load, measured, reader } from '../flows.ts';
import { type Figures, figuresOf, type PlayOptions, type Scenario } from '../scenario.ts';
import { peerOf } from '../stage.ts';

const IDLE = { detail: 'idle', perSecond: 20, perMessage: 1 };
const TRICKLE = { detail: 'trickle', perSecond: 200, perMessage: 1 };
const BUSY = { detail: 'busy', perSecond: 50_000, perMessage: 100 };
const NAMES = ['metron az1', 'doppler az1/0'];

export const latency: Scenario = {
  name: 'latency',
  about: 'latency: agent to subscriber',
  shapes: ['lean'],
  async play(options) {
    const { rateFactor } = options;
    return [
      await timed(options, IDLE),
      await timed(options, TRICKLE),
      await timed(options, { ...BUSY, perSecond: BUSY.perSecond * rateFactor }),
    ];
  },
};

async function timed(
  { stage, shape, seconds }: PlayOptions,
  { detail, perSecond, perMessage }: typeof IDLE,
): Promise<Figures> {
  const started = await stage.start({ names: NAMES });
  const outlet = await reader(stage, [peerOf(started('doppler az1/0'), 'doppler')], {
    firehoses: 1,
    times: true,
  });
  const feed = await load(stage, [peerOf(started('metron az1'), 'metron')], { shape, perMessage });
  const processes = measured(NAMES.map(started));
  const warm = { feed, outlet, processes };
  await warmUp(warm, perSecond);

  // A report forgets the times before it, so the one that has them is kept.
  let [p50Ms, p99Ms] = [0, 0];
  const timing = {
    ask: async (command: object) => {
      const report = await outlet.ask(command);
      ({ p50Ms = p50Ms, p99Ms = p99Ms } = report);
      return report;
    },
  };
  await outlet.ask({});
  const usage = await measure({ ...warm, outlet: timing }, { perSecond, seconds });
  const further = { 'p50 ms': p50Ms, 'p99 ms': p99Ms };
  return figuresOf({ shape, detail, asked: perSecond, usage, further });
}
