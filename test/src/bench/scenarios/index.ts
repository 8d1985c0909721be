/** The scenarios, in the order in which they are played and told. */

import type { Scenario } from '../scenario.ts';
import { appStreams } from './app-streams.ts';
import { chain } from './chain.ts';
import { doppler } from './doppler.ts';
import { highestRate } from './highest-rate.ts';
import { journal } from './journal.ts';
import { latency } from './latency.ts';
import { messageSize } from './message-size.ts';
import { metron } from './metron.ts';
import { pauses } from './pauses.ts';
import { readUnderWrite } from './read-under-write.ts';
import { shards } from './shards.ts';
import { soak } from './soak.ts';
import { statsd } from './statsd.ts';
import { syslog } from './syslog.ts';
import { tenFirehoses } from './ten-firehoses.ts';
import { trafficController } from './traffic-controller.ts';

export const SCENARIOS: readonly Scenario[] = [
  doppler,
  highestRate,
  tenFirehoses,
  appStreams,
  messageSize,
  shards,
  trafficController,
  metron,
  chain,
  syslog,
  statsd,
  latency,
  readUnderWrite,
  pauses,
  journal,
  soak,
];
