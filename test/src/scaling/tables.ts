/** The tables of docs/scaling.md. */

import { type Costs, type Deployment, firstToSaturate, type HopLoad, hopLoads } from './scaling.ts';

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
  const large = { ...LARGE, controllers: controllersFor(costs, LARGE) };
  const loads = hopLoads(costs, large);
  const first = firstToSaturate(loads);
  return [
    costTable(costs),
    hopTable(loads),
    `First to saturate: the ${first?.hop}, at ${whole(first?.saturatedAt ?? 0)} envelopes a second.`,
    dopplerTable(costs),
  ].join('\n\n');
}

/** How many controllers it takes for all firehoses. */
function controllersFor(
  { controllerEnvelope }: Costs,
  { envelopesPerSecond, firehoses }: Omit<Deployment, 'controllers'>,
): number {
  return Math.ceil((envelopesPerSecond * firehoses * controllerEnvelope) / (SHARE_MAX * 1e6));
}

function costTable(costs: Costs): string {
  const names: readonly [keyof Costs, string][] = [
    ['agentEnvelope', 'an envelope in an agent'],
    ['agentMessage', 'a message that an agent sends'],
    ['dopplerEnvelope', 'an envelope in a Doppler, with cache and one firehose'],
    ['dopplerMessage', 'a message that a Doppler receives'],
    ['firehoseEnvelope', 'an envelope for each further firehose'],
    ['controllerEnvelope', 'an envelope in a traffic controller'],
  ];
  const lines = names.map(([name, what]) => `| ${what} | ${costs[name].toFixed(2)} |`);
  return ['| | CPU-µs |', '|---|---|', ...lines].join('\n');
}

function hopTable(loads: readonly HopLoad[]): string {
  const lines = loads.map(({ hop, processes, envelopesPerSecond, coreShare, saturatedAt }) => {
    const cells = [hop, processes, whole(envelopesPerSecond), percent(coreShare)];
    return `| ${[...cells, whole(saturatedAt)].join(' | ')} |`;
  });
  const head =
    '| hop | processes | envelopes/s of the busiest | of a core | a whole core, when all get |';
  return [head, '|---|---|---|---|---|', ...lines].join('\n');
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
