import type { loggregator } from '@standpipe/protos';
import { encodeEnvelope, longOf } from '@standpipe/protos/testing';
import test from 'ava';
import { FrameBuffer } from './framing.ts';
import { Rfc5424Writer, UNSENDABLE } from './rfc5424.ts';
import { readHeader, readMessages, writeEnvelope } from './testing.ts';

type EnvelopeInit = loggregator.v2.IEnvelope;

const GUID = '33333333-3333-3333-3333-333333333333';

test('writes a gauge of one metric as the original does', (t) => {
  const text = written({
    timestamp: longOf(1795475139775167000n),
    source_id: 'o',
    tags: { origin: 'o' },
    gauge: { metrics: { n: { unit: 'counter', value: 1 } } },
  });
  t.is(
    text,
    '120 <14>1 2026-11-23T23:05:39.775167+00:00 - o [] - [gauge@47450 name="n" value="1" unit="counter"][tags@47450 origin="o"] \n',
  );
});

test("writes a task's log as the original does", (t) => {
  const text = written(
    {
      timestamp: longOf(1700000000000000000n),
      source_id: GUID,
      instance_id: '3',
      tags: {
        source_type: 'APP/TASK/my task é--',
        origin: 'rep',
        job: 'jb',
        ip: '1.2.3.4',
        index: 'ix',
        deployment: 'dep',
        __v1_type: 'LogMessage',
      },
      log: { payload: Buffer.from('to tcp') },
    },
    'org.space.app',
  );
  t.is(
    text,
    `248 <14>1 2023-11-14T22:13:20+00:00 org.space.app ${GUID} [APP/TASK/MY-TASK/3] - [tags@47450 __v1_type="LogMessage" deployment="dep" index="ix" ip="1.2.3.4" job="jb" origin="rep" source_type="APP/TASK/my task é--"] to tcp\n`,
  );
});

test("writes a web process's log as the original does", (t) => {
  const tags = {
    __v1_type: 'LogMessage',
    deployment: 'dep',
    index: 'ix',
    ip: '1.2.3.4',
    job: 'jb',
    origin: 'rep',
    source_type: 'APP/PROC/WEB',
  };
  const init = {
    timestamp: longOf(1700000000123450000n),
    source_id: GUID,
    instance_id: '0',
    tags,
    log: { payload: Buffer.from('half') },
  };
  const text = written(init, 'org.space.app');
  t.true(text.startsWith('239 <14>1 2023-11-14T22:13:20.12345+00:00 org.space.app'));
  t.true(text.endsWith('source_type="APP/PROC/WEB"] half\n'));
});

const TIMES: readonly (readonly [bigint, string])[] = [
  [12_345_678n, '1970-01-01T00:00:00.012345+00:00'],
  [0n, '1970-01-01T00:00:00+00:00'],
  [999n, '1970-01-01T00:00:00+00:00'],
  [1000n, '1970-01-01T00:00:00.000001+00:00'],
  [1_700_000_000_100_000_000n, '2023-11-14T22:13:20.1+00:00'],
  [1_700_000_000_999_999_999n, '2023-11-14T22:13:20.999999+00:00'],
  [1_709_210_096_000_050_000n, '2024-02-29T12:34:56.00005+00:00'],
  [-1n, '1969-12-31T23:59:59.999999+00:00'],
  [-1_000_000_000n, '1969-12-31T23:59:59+00:00'],
  [9_000_000_000_000_000_000n, '2255-03-14T16:00:00+00:00'],
];

for (const [time, text] of TIMES) {
  test(`writes the time ${time} as ${text}`, (t) => {
    t.is(readHeader(written({ ...log('x'), timestamp: longOf(time) })).time, text);
  });
}

const HOSTS: readonly (readonly [string, Record<string, string>, string])[] = [
  ['bound.host', {}, 'bound.host'],
  ['', {}, '-'],
  ['bound.host', { app_name: 'a' }, '..a'],
  ['bound.host', { organization_name: '', space_name: '', app_name: '' }, '..'],
  ['', { organization_name: 'My Org_1', space_name: 'spé-', app_name: 'App.X' }, 'My-Org1.sp.AppX'],
  ['', { organization_name: 'a \t\n b', space_name: '  ', app_name: 'x--' }, 'a-b..x'],
  ['', { organization_name: 'o'.repeat(70), app_name: 'a' }, `${'o'.repeat(63)}..a`],
  ['h'.repeat(300), {}, 'h'.repeat(255)],
];

for (const [bound, tags, expected] of HOSTS) {
  test(`names the host ${expected.slice(0, 30)} for the binding's ${bound.slice(0, 12)} and ${JSON.stringify(tags).slice(0, 60)}`, (t) => {
    t.is(readHeader(written({ ...log('x'), tags }, bound)).host, expected);
  });
}

const PROCESSES: readonly (readonly [string | undefined, string, string])[] = [
  ['APP/PROC/WEB', '0', '[APP/PROC/WEB/0]'],
  ['RTR', '1', '[RTR/1]'],
  ['LGR', '', '[LGR]'],
  ['SYS', 'syslog_agent', '[SYS/syslog_agent]'],
  [undefined, '0', '[/0]'],
  [undefined, '', '[]'],
  ['app/task/mein tüt', '7', '[APP/TASK/MEIN-TT/7]'],
  [' - ', '7', '[/7]'],
  ['t'.repeat(125), '123', `[${'T'.repeat(125)}/]`],
  ['t'.repeat(123), '123', `[${'T'.repeat(123)}/12]`],
  ['t'.repeat(300), '123', `[${'T'.repeat(125)}/]`],
  ['t'.repeat(300), '', `[${'T'.repeat(127)}`],
  ['T', 'i'.repeat(300), `[T/${'i'.repeat(124)}]`],
];

for (const [type, instance, expected] of PROCESSES) {
  test(`names the process ${expected.slice(0, 40)}… for type ${type?.slice(0, 20)} (${type?.length}) and instance ${instance.slice(0, 20)}`, (t) => {
    const tags = type === undefined ? {} : { source_type: type };
    const { process } = readHeader(written({ ...log('x'), tags, instance_id: instance }));
    t.is(process, expected);
    t.true(process.length <= 128);
  });
}

test('names the process of anything but a log by its instance alone, cut at 128 bytes', (t) => {
  const counter = { counter: { name: 'c' }, tags: { source_type: 'APP' } };
  t.is(readHeader(written({ ...counter, instance_id: 'x/y' })).process, '[x/y]');
  t.is(readHeader(written(counter)).process, '[]');
  t.is(
    readHeader(written({ ...counter, instance_id: 'i'.repeat(200) })).process,
    `[${'i'.repeat(127)}`,
  );
});

test('cuts the app name at 48 bytes, and writes a dash for none', (t) => {
  t.is(readHeader(written({ ...log('x'), source_id: 's'.repeat(60) })).app, 's'.repeat(48));
  t.is(readHeader(written({ ...log('x'), source_id: '' })).app, '-');
});

const PAYLOADS: readonly (readonly [string, string])[] = [
  ['', ' \n'],
  ['plain', ' plain\n'],
  ['ended\n', ' ended\n'],
  ['two\nlines\r\n', ' two\nlines\r\n'],
  ['\0nul\0s\0', ' nuls\n'],
  ['\0'.repeat(300), ' \n'],
  [`${'long '.repeat(60)}\0${'er '.repeat(60)}`, ` ${'long '.repeat(60)}${'er '.repeat(60)}\n`],
];

for (const [payload, text] of PAYLOADS) {
  test(`writes the payload ${JSON.stringify(payload).slice(0, 40)}`, (t) => {
    t.is(readHeader(written(log(payload))).rest, `-${text}`);
  });
}

test('leaves a payload that is not UTF-8 as it is', (t) => {
  const frames = new FrameBuffer();
  writeEnvelope(frames, { log: { payload: Buffer.from([0xff, 0xfe, 0x41]) } });
  t.deepEqual(frames.take().subarray(-5), Buffer.from([0x20, 0xff, 0xfe, 0x41, 0x0a]));
});

const PRIORITIES = [
  [0, 14],
  [1, 11],
  [2, -1],
] as const;

for (const [type, priority] of PRIORITIES) {
  test(`gives a log of type ${type} the priority ${priority}`, (t) => {
    const init = { log: { payload: Buffer.from('x'), type: type as loggregator.v2.Log.Type } };
    t.is(readHeader(written(init)).priority, String(priority));
  });
}

const DATA: readonly (readonly [EnvelopeInit, string])[] = [
  [
    { counter: { name: 'c', delta: 3, total: 20 } },
    '[counter@47450 name="c" total="20" delta="3"]',
  ],
  [{ counter: {} }, '[counter@47450 name="" total="0" delta="0"]'],
  [
    { timer: { name: 'http', start: longOf(1700000000000000001n), stop: longOf(-5n) } },
    '[timer@47450 name="http" start="1700000000000000001" stop="-5"]',
  ],
  [{ event: { title: 't', body: 'b' } }, '[event@47450 title="t" body="b"]'],
  [{ event: { title: 'a"b', body: '\\]\n' } }, '[event@47450 title="a\\"b" body="\\\\\\]\n"]'],
  [
    { gauge: { metrics: { mem: { unit: 'bytes', value: 134217728 } } } },
    '[gauge@47450 name="mem" value="1.34217728e+08" unit="bytes"]',
  ],
];

for (const [init, data] of DATA) {
  test(`writes ${data.slice(0, 40)} and after it one blank and the tags`, (t) => {
    t.is(readHeader(written(init)).rest, `${data} \n`);
    const tagged = { ...init, tags: { b: '2', a: '1', B: '3' } };
    t.is(readHeader(written(tagged)).rest, `${data}[tags@47450 B="3" a="1" b="2"] \n`);
    t.is(readHeader(written(tagged, '', false)).rest, `${data} \n`);
  });
}

test('makes one message of each metric of a gauge, and none of an empty one', (t) => {
  const frames = new FrameBuffer();
  const metrics = { b: { unit: 'u', value: 2 }, a: { unit: '', value: 0.5 } };
  t.is(writeEnvelope(frames, { gauge: { metrics } }), 2);
  t.deepEqual(
    readMessages(frames.take()).map(({ data }) => data),
    [
      { 'gauge@47450': { name: 'a', value: '0.5', unit: '' } },
      { 'gauge@47450': { name: 'b', value: '2', unit: 'u' } },
    ],
  );
  t.is(writeEnvelope(frames, { gauge: {} }), 0);
});

test('writes nothing for an envelope that has no message', (t) => {
  const frames = new FrameBuffer();
  t.is(writeEnvelope(frames, { source_id: 'a', tags: { 'bad name': 'x' } }), 0);
  t.is(frames.byteLength, 0);
});

test('writes a dash for the data of a log without tags, or with tags turned off', (t) => {
  t.is(readHeader(written(log('x'))).rest, '- x\n');
  t.is(readHeader(written({ ...log('x'), tags: { a: '1' } }, '', false)).rest, '- x\n');
});

const UNSENDABLE_ONES: readonly (readonly [string, EnvelopeInit, string])[] = [
  ['a source id of blanks', { ...log('x'), source_id: '  ' }, 'source id'],
  ['an instance that is not ASCII', { ...log('x'), instance_id: 'é' }, 'instance id'],
  ['a metric whose instance has a blank', { counter: {}, instance_id: 'a b' }, 'instance id'],
  ['a tag name with a blank', { ...log('x'), tags: { 'a b': '1' } }, 'name'],
  ['a tag name with an equals sign', { ...log('x'), tags: { 'a=b': '1' } }, 'name'],
  ['a tag name with a quote', { ...log('x'), tags: { 'a"': '1' } }, 'name'],
  ['a tag name that is not ASCII', { gauge: { metrics: { a: {} } }, tags: { ü: '1' } }, 'name'],
];

for (const [what, init, mistake] of UNSENDABLE_ONES) {
  test(`refuses ${what} whole, and goes on with the next envelope`, (t) => {
    const frames = new FrameBuffer();
    const writer = new Rfc5424Writer(frames);
    const style = { hostname: Buffer.alloc(0), metadata: true };
    const bad = encodeEnvelope(init);
    t.is(writer.write(bad, 0, bad.length, style), UNSENDABLE);
    t.true(writer.mistake.includes(mistake), writer.mistake);
    t.is(frames.byteLength, 0);
    const good = encodeEnvelope(log('good'));
    t.is(writer.write(good, 0, good.length, style), 1);
  });
}

test('refuses a host name of the binding that is not visible ASCII', (t) => {
  t.is(writeEnvelope(new FrameBuffer(), log('x'), 'höst'), UNSENDABLE);
});

test('sends a tag whose name is empty or longer than 32 bytes', (t) => {
  const tags = { '': 'none', ['k'.repeat(40)]: 'long' };
  t.is(
    readHeader(written({ ...log('x'), tags })).rest,
    `[tags@47450 ="none" ${'k'.repeat(40)}="long"] x\n`,
  );
});

function log(payload: string): EnvelopeInit {
  return { log: { payload: Buffer.from(payload) } };
}

/** The one message of an envelope, with its length. */
function written(init: EnvelopeInit, host = '', metadata = true): string {
  const frames = new FrameBuffer();
  if (writeEnvelope(frames, init, host, metadata) !== 1) throw new Error('not one message');
  return frames.take().toString();
}
