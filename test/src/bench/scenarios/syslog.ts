/** The syslog adapter between the reverse log proxy and drains over TCP, one for each of 50 apps. */

import { only, toDrains } from '../pipelines.ts';
import { besideFloor, type Scenario } from '../scenario.ts';

const RATE = { lean: 20_000, cf: 10_000 };

export const syslog: Scenario = {
  name: 'syslog',
  about: 'syslog adapter: drains of 50 apps over TCP',
  shapes: ['lean'],
  async play(options) {
    const flow = only(await toDrains(options.stage, options.shape), 'syslog-adapter');
    return [await besideFloor(options, flow, { perSecond: RATE[options.shape] })];
  },
};
