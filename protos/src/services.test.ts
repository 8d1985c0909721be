import test from 'ava';
import * as services from './services.ts';

// What the servers and clients of Loggregator v107.0.21 and log-cache-release v3.2.0 dial:
// path, does the request stream, does the response stream.
const METHODS: readonly (readonly [services.RawMethod, string, boolean, boolean])[] = [
  [services.ingressService.sender, '/loggregator.v2.Ingress/Sender', true, false],
  [services.ingressService.batchSender, '/loggregator.v2.Ingress/BatchSender', true, false],
  [services.ingressService.send, '/loggregator.v2.Ingress/Send', false, false],
  [services.egressService.receiver, '/loggregator.v2.Egress/Receiver', false, true],
  [services.egressService.batchedReceiver, '/loggregator.v2.Egress/BatchedReceiver', false, true],
  [services.dopplerService.subscribe, '/plumbing.Doppler/Subscribe', false, true],
  [services.dopplerService.batchSubscribe, '/plumbing.Doppler/BatchSubscribe', false, true],
  [services.dopplerIngestorService.pusher, '/plumbing.DopplerIngestor/Pusher', true, false],
  [services.logCacheIngressService.send, '/logcache.v1.Ingress/Send', false, false],
  [services.logCacheEgressService.read, '/logcache.v1.Egress/Read', false, false],
  [services.logCacheEgressService.meta, '/logcache.v1.Egress/Meta', false, false],
  [
    services.promQlQuerierService.instantQuery,
    '/logcache.v1.PromQLQuerier/InstantQuery',
    false,
    false,
  ],
  [services.promQlQuerierService.rangeQuery, '/logcache.v1.PromQLQuerier/RangeQuery', false, false],
  [services.orchestrationService.addRange, '/logcache.v1.Orchestration/AddRange', false, false],
  [
    services.orchestrationService.removeRange,
    '/logcache.v1.Orchestration/RemoveRange',
    false,
    false,
  ],
  [services.orchestrationService.listRanges, '/logcache.v1.Orchestration/ListRanges', false, false],
  [services.orchestrationService.setRanges, '/logcache.v1.Orchestration/SetRanges', false, false],
  // Ours alone.
  [services.tailsService.tail, '/standpipe.v1.Tails/Tail', false, true],
  [services.seriesService.select, '/standpipe.v1.SeriesStore/Select', false, true],
];

for (const [method, path, requestStream, responseStream] of METHODS) {
  test(`${path} has its path and streams`, (t) => {
    t.is(method.path, path);
    t.is(method.requestStream, requestStream);
    t.is(method.responseStream, responseStream);
  });
}

test('the table has every method of every service', (t) => {
  const all = Object.values(services).flatMap((service) => Object.values(service));
  const paths = (methods: readonly services.RawMethod[]) =>
    methods.map(({ path }) => path).toSorted();
  t.deepEqual(paths(all), paths(METHODS.map(([method]) => method)));
});

test('messages are handed over as the very Buffers they are', (t) => {
  const bytes = Buffer.from('0a00', 'hex');
  for (const [method] of METHODS) {
    t.is(method.requestSerialize(bytes), bytes);
    t.is(method.requestDeserialize(bytes), bytes);
    t.is(method.responseSerialize(bytes), bytes);
    t.is(method.responseDeserialize(bytes), bytes);
  }
});
