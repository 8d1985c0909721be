/** What clients lean on in metrics, at every exit of a real pipeline. */

import { eventually } from '@standpipe/plumbing/testing';
import { events, ingressService, type loggregator } from '@standpipe/protos';
import { encodeBatch, longOf } from '@standpipe/protos/testing';
import test from 'ava';
import WebSocket from 'ws';
import { ask, TextStream } from '../clients/http.ts';
import { IngressCaller } from '../clients/ingress.ts';
import { testPipeline } from '../testing.ts';

const APP = '73467cc3-261a-472e-80e8-d6eadfd30d98';

const CONTAINER = {
  cpu: { unit: 'percentage', value: 1.5 },
  memory: { unit: 'bytes', value: 1024 },
  disk: { unit: 'bytes', value: 2048 },
  memory_quota: { unit: 'bytes', value: 4096 },
  disk_quota: { unit: 'bytes', value: 8192 },
};

interface Read {
  readonly tags: Readonly<Record<string, string>>;
  readonly gauge?: { readonly metrics: object };
  readonly timer?: object;
}

test.serial(
  'a container’s gauge stays one envelope with its units, and a timer has a tag, at every exit',
  async (t) => {
    const { front, server } = await testPipeline(t, { zones: { az1: 1 } });
    const sse = await TextStream.open(`${front}/v2/read?gauge&timer&source_id=${APP}`);
    t.teardown(() => sse[Symbol.dispose]());
    const socket = new WebSocket(`${front.replace('http', 'ws')}/apps/${APP}/stream`);
    t.teardown(() => socket.terminate());
    const frames: events.Envelope[] = [];
    socket.on('message', (data: Buffer) => frames.push(events.Envelope.decode(data)));
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));

    const agent = new IngressCaller(server('metron az1', 'metron'));
    t.teardown(() => agent[Symbol.dispose]());
    let time = BigInt(Date.now()) * 1_000_000n;
    const fromSse = (): readonly Read[] =>
      [...sse.text.matchAll(/^data: (\{"batch".*)\n\n/gm)].flatMap(
        ([, json]) => JSON.parse(json ?? '').batch,
      );
    await eventually(async () => {
      await agent.stream(ingressService.batchSender, [encodeBatch(sent(time))]);
      time += 10n;
      return fromSse().some(({ timer }) => timer) && frames.length > 0;
    });

    const { body } = await ask(`${front}/api/v1/read/${APP}?limit=1000`);
    for (const envelopes of [fromSse(), JSON.parse(body).envelopes.batch as readonly Read[]]) {
      const gauges = envelopes.filter(({ gauge }) => gauge);
      t.true(gauges.length > 0);
      for (const { gauge } of gauges) t.deepEqual(gauge?.metrics, CONTAINER);
      const timers = envelopes.filter(({ timer }) => timer);
      t.true(timers.length > 0);
      for (const { tags } of timers) t.true(Object.keys(tags).length > 0, 'of a timer without any');
    }
    for (const { eventType, containerMetric } of frames) {
      t.is(eventType, events.Envelope.EventType.ContainerMetric);
      t.like(containerMetric, { applicationId: APP, instanceIndex: 0, cpuPercentage: 1.5 });
    }
  },
);

/** A container's gauge as cells send it, and a timer that its sender gave no tag. */
function sent(time: bigint): loggregator.v2.IEnvelope[] {
  const common = { source_id: APP, instance_id: '0' };
  return [
    { ...common, timestamp: longOf(time), gauge: { metrics: CONTAINER } },
    {
      ...common,
      timestamp: longOf(time + 1n),
      timer: { name: 'work', start: longOf(time), stop: longOf(time + 1n) },
    },
  ];
}
