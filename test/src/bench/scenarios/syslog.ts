/** The syslog adapter between the reverse log proxy and drains over TCP, one for each of 50 apps. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fillCaches } from '../fill.ts';
import { load, measured } from '../flows.ts';
import { besideFloor, type Scenario } from '../scenario.ts';
import { peerOf } from '../stage.ts';
import { sourceOf } from '../worker.ts';

const RATE = { lean: 20_000, cf: 10_000 };
const APPS = 50;
const NAMES = ['doppler az1/0', 'reverse-log-proxy', 'syslog-adapter'];

export const syslog: Scenario = {
  name: 'syslog',
  about: 'syslog adapter: drains of 50 apps over TCP',
  async play(options) {
    const { stage, shape } = options;
    const outlet = await stage.worker('syslog', {});
    const bindingsFile = join(stage.folder, 'bindings.json');
    const apps = Array.from({ length: APPS }, (_, index) => sourceOf(index));
    const credentials = [{ apps: apps.map((id) => ({ hostname: 'acme.dev.shop', app_id: id })) }];
    const url = `syslog://${outlet.ready.address}`;
    await writeFile(bindingsFile, JSON.stringify([{ url, credentials }]));

    const started = await stage.start({ names: NAMES, bindingsFile });
    await fillCaches(stage, [started('doppler az1/0')], shape);
    const peers = [peerOf(started('doppler az1/0'), 'doppler')];
    const flow = {
      outlet,
      feed: await load(stage, peers, { shape, sources: APPS }),
      processes: measured([started('syslog-adapter')]),
    };
    return [await besideFloor(options, flow, { perSecond: RATE[shape] })];
  },
};
