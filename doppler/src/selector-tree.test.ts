import { Batch, crc64, Kind, loggregator, type PackedBatch, scanBatch } from '@standpipe/protos';
import {
  encodeBatch,
  encodeEnvelope,
  randomEnvelopes,
  randomFrom,
} from '@standpipe/protos/testing';
import test from 'ava';
import { type Interest, Router } from './router.ts';
import { readSelectors, type Selector } from './selectors.ts';

type EnvelopeInit = loggregator.v2.IEnvelope;

// Whatever is subscribed and routed, each sink must get what a list of registrations, asked one by
// one, says. The draw is held at one place of the shard, so that it is the same in both.
for (const seed of [1, 2, 3, 5, 8, 13, 21, 34]) {
  test(`agrees with a list of registrations, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const drawn = random(1000) / 1000;
    const { route, subscribe } = setUp(() => drawn);
    const live: Model[] = [];

    for (let step = 0; step < 80; step += 1) {
      if (live.length < 2 || (live.length < 12 && random(2) === 0))
        live.push(randomModel(random, subscribe));
      if (random(6) === 0)
        live.splice(random(live.length), 1)[0]?.sink.subscription[Symbol.dispose]();
      const envelopes = randomEnvelopes(random(1_000_000), random(150));
      for (const { sink } of live) sink.parts.length = 0;
      route(envelopes);
      const expected = expectedOf(live, envelopes, drawn);
      for (const { sink } of live) t.deepEqual(sink.envelopes(), expected.get(sink) ?? []);
    }
  });
}

interface Model {
  readonly sink: Sink;
  readonly selectors: readonly Selector[];
  readonly shardId: string;
  readonly name: string;
}

function randomModel(random: (below: number) => number, subscribe: Subscribe): Model {
  const inits = Array.from({ length: 1 + random(5) }, () => randomSelector(random));
  const shardId = ['', '', 's1', 's2'][random(4)] ?? '';
  const name = ['', '', 'x', 'y', 'é'][random(5)] ?? '';
  const selectors = readSelectors(inits);
  return {
    sink: subscribe({ selectors, shardId, deterministicName: name }),
    selectors,
    shardId,
    name,
  };
}

function randomSelector(random: (below: number) => number): loggregator.v2.ISelector {
  const texts = ['', 'a', 'doppler', 'http.requests', '😀 smile'];
  const text = (): string => texts[random(texts.length)] ?? '';
  const source_id = random(2) === 0 ? '' : text();
  const names = Array.from(
    { length: random(3) },
    () => ['cpu', 'memory', '', 'job'][random(4)] ?? '',
  );
  const kinds = [{ log: {} }, { timer: {} }, { event: {} }, {}];
  const others = [{ counter: { name: text() } }, { gauge: { names } }];
  return { source_id, ...[...kinds, ...others][random(6)] };
}

/** What each sink should get, in order: by group of the same selector and shard, one by one. */
function expectedOf(
  live: readonly Model[],
  envelopes: readonly EnvelopeInit[],
  drawn: number,
): Map<Sink, Buffer[]> {
  const got = new Map<Sink, Buffer[]>();
  for (const init of envelopes) {
    const bytes = encodeEnvelope(init);
    const envelope = loggregator.v2.Envelope.decode(bytes);
    const groups = new Map<string, Model[]>();
    for (const model of live) {
      for (const selector of model.selectors.filter((one) => fitsNaively(one, envelope))) {
        const key = JSON.stringify([selector.sourceId, namesKey(selector), model.shardId]);
        groups.set(key, [...(groups.get(key) ?? []), model]);
      }
    }
    for (const group of groups.values()) {
      for (const { sink } of drawNaively(group, envelope, drawn)) {
        got.set(sink, [...(got.get(sink) ?? []), bytes]);
      }
    }
  }
  return got;
}

function fitsNaively(selector: Selector, envelope: loggregator.v2.Envelope): boolean {
  if (selector.sourceId !== '' && selector.sourceId !== envelope.source_id) return false;
  const { kind, names } = selector;
  if (kind === Kind.log) return envelope.log !== null && envelope.log !== undefined;
  if (kind === Kind.timer) return envelope.timer !== null && envelope.timer !== undefined;
  if (kind === Kind.event) return envelope.event !== null && envelope.event !== undefined;
  if (kind === Kind.counter) {
    return envelope.counter ? names.length === 0 || names[0] === envelope.counter.name : false;
  }
  return envelope.gauge ? names.length === 0 || sumOf(names) === gaugeSum(envelope) : false;
}

function drawNaively(
  group: readonly Model[],
  envelope: loggregator.v2.Envelope,
  drawn: number,
): readonly Model[] {
  if (group[0]?.shardId === '') return group;
  let at = Math.floor(drawn * group.length);
  let order = group;
  if (group.some(({ name }) => name !== '')) {
    order = group.toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
    const size = BigInt(group.length);
    if (envelope.counter) at = Number(sumOf([envelope.counter.name ?? '']) % size);
    else if (envelope.gauge) at = Number(gaugeSum(envelope) % size);
  }
  return order.slice(at, at + 1);
}

function namesKey({ kind, names }: Selector): string {
  if (names.length === 0) return `${kind}`;
  return `${kind} ${kind === Kind.gauge ? sumOf(names) : names[0]}`;
}

function gaugeSum({ gauge }: loggregator.v2.Envelope): bigint {
  return sumOf(Object.keys(gauge?.metrics ?? {}));
}

function sumOf(names: readonly string[]): bigint {
  return BigInt.asUintN(
    64,
    names.reduce((sum, name) => sum + crc64(Buffer.from(name)), 0n),
  );
}

type Subscribe = ReturnType<typeof setUp>['subscribe'];
type Sink = ReturnType<Subscribe>;

function setUp(random: () => number) {
  const batch = new Batch();
  const router = new Router({ cache: { put: () => undefined }, random });
  return {
    route: (envelopes: readonly EnvelopeInit[]): void => {
      if (!scanBatch(encodeBatch(envelopes), batch)) throw new Error(batch.mistake);
      router.route(batch);
    },
    subscribe: (interest: Interest) => {
      const parts: PackedBatch[] = [];
      const subscription = router.subscribe({ put: (part) => parts.push(part) }, interest);
      return { parts, subscription, envelopes: () => parts.flatMap(envelopesOf) };
    },
  };
}

/** The bytes of each envelope, as a scan of the part finds them. */
function envelopesOf({ bytes, count }: PackedBatch): Buffer[] {
  const batch = new Batch();
  if (!scanBatch(bytes, batch) || batch.count !== count) throw new Error('a part must be a batch');
  return Array.from({ length: count }, (_, index) => Buffer.from(batch.envelope(index)));
}
