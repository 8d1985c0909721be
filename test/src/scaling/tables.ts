/** The tables of docs/scaling.md. */

import {
  type Costs,
  type Deployment,
  firstToSaturate,
  type Hop,
  type HopLoad,
  hopLoads,
  processesFor,
} from './scaling.ts';

/** A thousand agents, a hundred Dopplers, a million envelopes a second. */
const LARGE: Omit<Deployment, 'controllers'> = {
  agents: 1000,
  zones: 2,
  dopplers: 100,
  firehoses: 2,
  envelopesPerSecond: 1_000_000,
  sources: 20_000,
  perMessage: 20,
};

/** What a process should have of a core at most, so that a burst finds room. */
const SHARE_MAX = 0.6;

/** Markdown: the costs, the large deployment hop by hop, and what changes with its shape. */
export function scalingTables(costs: Costs): string {
  const one = { ...LARGE, controllers: 1 };
  const needed = (hop: Hop): number => processesFor(costs, one, hop, SHARE_MAX);
  const loads = hopLoads(costs, { ...one, controllers: needed('traffic controller') });
  // As many controllers as are needed are as full as is allowed; the numbers of the others are given.
  const first = firstToSaturate(loads.filter(({ hop }) => hop !== 'traffic controller'));
  return [
    costTable(costs),
    hopTable(loads, needed),
    `The first of the hops whose number is given to saturate: the ${first?.hop}, at ${whole(first?.saturatedAt ?? 0)} envelopes a second. Controllers are as many as are needed.`,
    dopplerTable(costs),
  ].join('\n\n');
}

function costTable(costs: Costs): string {
  const names: readonly [keyof Costs, string][] = [
    ['agentEnvelope', 'an envelope in an agent'],
    ['agentMessage', 'a message that an agent sends'],
    ['dopplerEnvelope', 'an envelope in a Doppler, with cache and one firehose'],
    ['dopplerMessage', 'a message that a Doppler receives'],
    ['v1Envelope', 'an envelope more, if its firehoses are of v1'],
    ['firehoseEnvelope', 'an envelope for each further firehose'],
    ['controllerEnvelope', 'an envelope in a traffic controller'],
  ];
  const lines = names.map(([name, what]) => `| ${what} | ${costs[name].toFixed(2)} |`);
  return ['| | CPU-µs |', '|---|---|', ...lines].join('\n');
}

function hopTable(loads: readonly HopLoad[], needed: (hop: Hop) => number): string {
  const lines = loads.map(({ hop, processes, envelopesPerSecond, coreShare, saturatedAt }) => {
    const cells = [hop, processes, whole(envelopesPerSecond), percent(coreShare)];
    return `| ${[...cells, whole(saturatedAt), needed(hop)].join(' | ')} |`;
  });
  const titles = ['hop', 'processes', 'envelopes/s of the busiest', 'of a core'];
  titles.push('a whole core, when all get', `needed for ${percent(SHARE_MAX)} of one at most`);
  const rule = titles.map(() => '---');
  return [titles, rule]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .concat(lines)
    .join('\n');
}

/** The busiest Doppler's share of a core, by how many there are and what programs send. */
function dopplerTable(costs: Costs): string {
  const sizes = [1, 20, 100];
  const lines = [10, 20, 50, 100, 200].map((dopplers) => {
    const shares = sizes.map((perMessage) => {
      const deployment = { ...LARGE, dopplers, perMessage, controllers: 1 };
      return percent(hopLoads(costs, deployment)[1]?.coreShare ?? 0);
    });
    return `| ${[dopplers, ...shares].join(' | ')} |`;
  });
  const head = `| Dopplers | messages of ${sizes.join(' | of ')} |`;
  return [head, '|---|---|---|---|', ...lines].join('\n');
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** With three digits, for no more is known. */
function whole(number: number): string {
  return Number(number.toPrecision(3)).toLocaleString('en');
}
