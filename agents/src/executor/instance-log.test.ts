import { guidOf, Metrics } from '@standpipe/plumbing';
import { Batch, loggregator, scanEnvelope } from '@standpipe/protos';
import test from 'ava';
import { parseApps } from './apps-file.ts';
import { InstanceLog } from './instance-log.ts';
import { type ExecutorMetrics, executorMetrics } from './metrics.ts';
import { type Envelope, SpyOutlet } from './spy-outlet.ts';

const NOW = 1_700_000_000_000_000_000n;

test('makes an envelope with the tags of an app of Cloud Foundry', (t) => {
  const { log, outlet } = logOf({ organization_name: 'acme', space_name: 'dev' });
  log.stream('OUT').push(Buffer.from('hello\n'));
  const [envelope] = outlet.envelopes;
  t.deepEqual(envelope && plain(envelope), {
    timestamp: String(NOW + 1n),
    source_id: 'app-guid',
    instance_id: '2',
    log: { payload: 'hello' },
    tags: {
      app_id: 'app-guid',
      app_name: 'shop',
      instance_id: '2',
      organization_id: guidOf('organization/acme'),
      organization_name: 'acme',
      origin: 'rep',
      process_id: 'app-guid',
      process_instance_id: 'instance-guid',
      process_type: 'web',
      source_type: 'APP/PROC/WEB',
      space_id: guidOf('space/acme/dev'),
      space_name: 'dev',
    },
  });
});

test('marks what came from stderr', (t) => {
  const { log, outlet } = logOf({});
  log.stream('ERR').push(Buffer.from('oops\n'));
  t.deepEqual(outlet.lines(), ['ERR oops']);
});

test('names the process type in the source type', (t) => {
  const { log, outlet } = logOf({ process_type: 'worker' });
  log.stream('OUT').push(Buffer.from('hello\n'));
  t.deepEqual(outlet.lines('APP/PROC/WORKER'), ['OUT hello']);
});

test("tells its own lines from the cell's", (t) => {
  const { log, outlet } = logOf({});
  log.app('Exit status 1');
  log.cell('Container became healthy');
  t.deepEqual(outlet.lines('APP/PROC/WEB'), ['OUT Exit status 1']);
  t.deepEqual(outlet.lines('CELL'), ['OUT Container became healthy']);
});

test('keeps each byte of a line, whatever it is', (t) => {
  const { log, outlet } = logOf({});
  const line = Buffer.from([0x00, 0xff, 0x80, 0x09, 0xc3, 0x28]);
  log.stream('OUT').push(Buffer.concat([line, Buffer.from('\n')]));
  t.deepEqual(Buffer.from(outlet.envelopes[0]?.log?.payload ?? []), line);
});

test('makes envelopes that a scan accepts, of lines of every length', (t) => {
  const batch = new Batch();
  const lengths: number[] = [];
  const { log } = logOf({}, (envelope) => {
    t.true(scanEnvelope(Buffer.from(envelope), batch), batch.mistake);
    t.is(batch.sourceId(0), 'app-guid');
    lengths.push(loggregator.v2.Envelope.decode(envelope).log?.payload?.length ?? 0);
  });
  const wanted = [1, 100, 127, 128, 129, 1000, 16_383, 16_384, 61_440];
  const err = log.stream('ERR');
  for (const length of wanted) err.push(Buffer.from(`${'x'.repeat(length)}\n`));
  t.deepEqual(lengths, wanted);
});

test('gives each line a later time than the one before, though the clock stands or goes back', (t) => {
  let now = 0x1_ffff_fff0n + NOW - (NOW & 0xffff_ffffn); // The lower word is about to run over.
  const { log, outlet } = logOf({}, undefined, () => now);
  const [out, err] = [log.stream('OUT'), log.stream('ERR')];
  for (let round = 0; round < 20; round += 1) {
    out.push(Buffer.from('one\ntwo\nthree\n'));
    err.push(Buffer.from('four\n'));
    log.cell('five');
    now -= 1n;
  }
  const times = outlet.envelopes.map(({ timestamp }) => BigInt(String(timestamp)));
  t.is(times.length, 100);
  t.true(times.every((time, index) => index === 0 || time > (times[index - 1] ?? 0n)));
});

test('drops lines over the limit, counts them, and says so once', (t) => {
  const { log, outlet, metrics } = logOf({ log_rate_limit: 10 });
  log.stream('OUT').push(Buffer.from('123456\n123456\n123456\n123456\n'));
  t.deepEqual(outlet.lines(), [
    'OUT 123456',
    'OUT 123456',
    'OUT app instance exceeded log rate limit (10 bytes/sec)',
  ]);
  t.is(metrics.lines.value, 4);
  t.is(metrics.droppedLines.value, 2);
});

test('logs nothing of an app that may not log, but its exit', (t) => {
  const { log, outlet, metrics } = logOf({ log_rate_limit: 0 });
  log.stream('OUT').push(Buffer.from('hello\n'));
  log.app('Exit status 0');
  t.deepEqual(outlet.lines(), ['OUT Exit status 0']);
  t.is(metrics.droppedLines.value, 1);
});

function logOf(
  fields: Readonly<Record<string, unknown>>,
  emit?: (envelope: Buffer) => void,
  now: () => bigint = () => NOW,
): { log: InstanceLog; outlet: SpyOutlet; metrics: ExecutorMetrics } {
  const text = JSON.stringify([{ name: 'shop', guid: 'app-guid', command: 'x', ...fields }]);
  const outlet = new SpyOutlet();
  const metrics = executorMetrics(new Metrics({ origin: 'executor' }));
  const [app] = parseApps(text, '/');
  if (!app) throw new Error('there is no app');
  const log = new InstanceLog({
    app,
    index: 2,
    instanceGuid: 'instance-guid',
    emit: emit ?? ((envelope) => outlet.emit(envelope)),
    metrics,
    now,
  });
  return { log, outlet, metrics };
}

function plain(envelope: Envelope): Record<string, unknown> {
  const { log, ...rest } = loggregator.v2.Envelope.toObject(envelope, { longs: String });
  return { ...rest, log: { ...log, payload: String(log.payload) } };
}
