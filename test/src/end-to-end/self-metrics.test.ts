/** What the processes count about themselves comes out of the pipeline, also when an agent was away. */

import { eventually } from '@standpipe/plumbing/testing';
import { ingressService } from '@standpipe/protos';
import test from 'ava';
import { IngressCaller } from '../clients/ingress.ts';
import { testPipeline } from '../testing.ts';

interface Counted {
  readonly tags: Readonly<Record<string, string>>;
  readonly counter: { readonly name: string; readonly delta: string; readonly total: string };
}

const ORIGINS: Readonly<Record<string, string>> = {
  doppler: 'loggregator.doppler',
  traffic_controller: 'loggregator.trafficcontroller',
  reverse_log_proxy: 'loggregator.rlp',
};

test.serial('self metrics reach readers, each count once, though the agent restarts', async (t) => {
  const { front, pipeline, server } = await testPipeline(t, {
    zones: { az1: 1 },
    env: {
      ROUTER_METRIC_BATCH_INTERVAL_MILLISECONDS: '100',
      TRAFFIC_CONTROLLER_METRIC_EMITTER_INTERVAL: '100ms',
      RLP_METRIC_EMITTER_INTERVAL: '100ms',
    },
  });
  const read = async (source: string, name: string): Promise<Counted[]> => {
    const query = `envelope_types=COUNTER&limit=1000&descending=true&name_filter=^${name}$`;
    const response = await fetch(`${front}/api/v1/read/${source}?${query}`);
    return ((await response.json()) as { envelopes: { batch: Counted[] } }).envelopes.batch;
  };
  for (const [source, origin] of Object.entries(ORIGINS)) {
    const [first] = await eventually(async () => {
      const found = await read(source, 'egress');
      return found.length > 0 && found;
    });
    t.is(first?.tags.origin, origin);
    t.is(first?.tags.metric_version, '2.0');
  }

  using caller = new IngressCaller(server('doppler az1/0', 'doppler'));
  const count = async (): Promise<void> => {
    await caller.stream(ingressService.batchSender, [Buffer.from('0aff', 'hex')]);
  };
  const gained = async (): Promise<number> => {
    const all = await read('doppler', 'malformed');
    return all.reduce((sum, { counter }) => sum + Number(counter.delta), 0);
  };
  await count();
  await eventually(async () => (await gained()) === 1);
  const agent = pipeline.process('metron az1');
  await agent.stop();
  for (let n = 0; n < 3; n += 1) await count();
  await agent.start();
  await eventually(async () => (await gained()) >= 4, { timeoutMs: 20_000 });
  await count();
  await eventually(async () => (await gained()) >= 5);
  t.is(await gained(), 5);
});
