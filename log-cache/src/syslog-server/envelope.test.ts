import { Batch, loggregator, scanEnvelope } from '@standpipe/protos';
import { randomFrom } from '@standpipe/protos/testing';
import test from 'ava';
import { SyslogEnvelope } from './envelope.ts';
import { SyslogMessage } from './message.ts';

const HEAD = '<14>1 2023-11-14T22:13:20.123456Z host app [APP/PROC/WEB/3] -';
const NOW = 1_234_567_890_123n;

test('a log has its text, source, instance, time and tags', (t) => {
  const data = '[tags@47450 deployment="cf" source_type="APP/PROC/WEB"][tags@1 deployment="b"]';
  t.deepEqual(converted(`${HEAD} ${data} hello <world>`), {
    timestamp: '1700000000123456000',
    source_id: 'app',
    instance_id: '3',
    tags: { deployment: 'b', source_type: 'APP/PROC/WEB' },
    log: { payload: 'hello <world>', type: 'OUT' },
  });
});

test('of priority 11 it is an error, of any other none', (t) => {
  const of = (priority: number): unknown =>
    converted(`<${priority}>${HEAD.slice(4)} - text`)?.log?.type;
  t.is(of(11), 'ERR');
  t.is(of(14), 'OUT');
  t.is(of(191), 'OUT');
  t.is(of(0), 'OUT');
});

for (const [processId, instance] of [
  ['[APP/PROC/WEB/0]', '0'],
  ['[1]', '1'],
  ['[]', ''],
  ['7', '7'],
  ['a/b/', ''],
  ['[[x]]', 'x'],
] as const) {
  test(`the instance of ${processId} is ${JSON.stringify(instance)}`, (t) => {
    const text = HEAD.replace('[APP/PROC/WEB/3]', processId);
    t.is(converted(`${text} - text`)?.instance_id, instance);
  });
}

test('a message that does not say when has the time at which it came', (t) => {
  const envelope = converted('<14>1 - host app [1] - - text');
  t.is(envelope?.timestamp, String(NOW));
});

for (const [data, wanted] of [
  [
    '[counter@47450 name="requests" delta="5" total="18446744073709551615"]',
    { counter: { name: 'requests', delta: '5', total: '18446744073709551615' } },
  ],
  ['[counter name="" delta="0" total="0"]', { counter: { name: '', delta: '0', total: '0' } }],
  [
    '[gauge@47450 name="cpu" value="0.23" unit="percentage"]',
    { gauge: { metrics: { cpu: { unit: 'percentage', value: 0.23 } } } },
  ],
  [
    '[gauge@x name="n" value="NaN" unit=""]',
    { gauge: { metrics: { n: { unit: '', value: 'NaN' } } } },
  ],
  [
    '[timer@47450 name="http" start="-1" stop="3000"]',
    { timer: { name: 'http', start: '-1', stop: '3000' } },
  ],
  ['[event@47450 title="t1" body="b1"]', { event: { title: 't1', body: 'b1' } }],
  ['[event@47450]', { event: { title: '', body: '' } }],
  [
    '[counterfeit name="c" delta="1" total="2" other="x"]',
    { counter: { name: 'c', delta: '1', total: '2' } },
  ],
  [
    '[event@1 title="t" body="b"][timer@1 name="n" start="1" stop="2"]',
    { timer: { name: 'n', start: '1', stop: '2' } },
  ],
] as const) {
  test(`${data} makes ${JSON.stringify(wanted)}`, (t) => {
    for (const text of ['', ' this text is passed over']) {
      const made = converted(`${HEAD} ${data}${text}`);
      t.deepEqual(made, {
        timestamp: '1700000000123456000',
        source_id: 'app',
        instance_id: '3',
        tags: {},
        ...wanted,
      });
    }
  });
}

test('escapes in values are taken away, other backslashes stay', (t) => {
  const data = String.raw`[event@1 title="a\"b\\c\]d\ne" body="é\\"][tags@1 a="\]" ü="x"]`;
  t.is(converted(`${HEAD} ${data}`), undefined, 'a name is ASCII');
  const made = converted(`${HEAD} ${data.replace(' ü="x"', '')}`);
  t.deepEqual(made?.event, { title: String.raw`a"b\c]d\ne`, body: 'é\\' });
  t.deepEqual(made?.tags, { a: ']' });
});

for (const [what, text, mistake] of [
  ['no app name', `${HEAD.replace(' app ', ' - ')} - text`, 'missing app name in syslog message'],
  [
    'no process id',
    `${HEAD.replace('[APP/PROC/WEB/3]', '-')} - text`,
    'missing proc ID in syslog message',
  ],
  ['no text', `${HEAD} -`, 'missing message data in syslog message'],
  ['an empty text', `${HEAD} - `, 'missing message data in syslog message'],
  [
    'an unknown element',
    `${HEAD} [tags@1 a="b"][other@1 a="b"] text`,
    'unknown envelope type for structured data: other@1',
  ],
  [
    'a gauge without unit',
    `${HEAD} [gauge@1 name="a" value="1"]`,
    'expected unit not found in gauge',
  ],
  [
    'a gauge with a bad value',
    `${HEAD} [gauge@1 name="a" value="x" unit="u"]`,
    'value is no number',
  ],
  ['a gauge without value', `${HEAD} [gauge@1 name="a" unit="u"]`, 'value is no number'],
  ['a bad delta', `${HEAD} [counter@1 name="a" delta="-1" total="1"]`, 'delta is no number'],
  ['no total', `${HEAD} [counter@1 name="a" delta="1"]`, 'total is no number'],
  ['a bad start', `${HEAD} [timer@1 name="a" start="1.5" stop="1"]`, 'start is no number'],
  ['no stop', `${HEAD} [timer@1 name="a" start="1"]`, 'stop is no number'],
] as const) {
  test(`a message with ${what} makes no envelope`, (t) => {
    const message = new SyslogMessage();
    const bytes = Buffer.from(text);
    t.is(message.read(bytes, 0, bytes.length), '', 'it is well formed');
    const envelope = new SyslogEnvelope({ trim: true, now: () => NOW });
    t.is(envelope.write(message), undefined);
    t.is(envelope.mistake, mistake);
  });
}

for (const [text, trimmed, untrimmed] of [
  ['  a b \t\r\n', 'a b', '  a b \t\r'],
  ['a\n\n', 'a', 'a\n'],
  ['\u00a0\u2003a\u3000', 'a', '\u00a0\u2003a\u3000'],
  [' \n ', '', ' \n '],
  ['\n', '', ''],
] as const) {
  test(`the text ${JSON.stringify(text)} is trimmed, if that is set`, (t) => {
    t.is(converted(`${HEAD} - ${text}`, true)?.log?.payload, trimmed);
    t.is(converted(`${HEAD} - ${text}`, false)?.log?.payload, untrimmed);
  });
}

test('a text that is no UTF-8 is kept as it is', (t) => {
  const bytes = Buffer.concat([Buffer.from(`${HEAD} - a`), Buffer.from([0xff, 0xfe, 0x00, 0x62])]);
  const message = new SyslogMessage();
  t.is(message.read(bytes, 0, bytes.length), '');
  const made = new SyslogEnvelope({ trim: true, now: () => NOW }).write(message);
  const { log } = loggregator.v2.Envelope.decode(made ?? Buffer.alloc(0));
  t.is(Buffer.from(log?.payload ?? []).toString('hex'), '61fffe0062');
});

for (const [what, text] of [
  ['nothing', ''],
  ['no priority', HEAD.slice(4)],
  ['a priority above 191', `<192>${HEAD.slice(4)} - x`],
  ['a priority with a zero in front', `<014>${HEAD.slice(4)} - x`],
  ['an empty priority', `<>${HEAD.slice(4)} - x`],
  ['version 0', `${HEAD.replace('>1 ', '>0 ')} - x`],
  ['a version of four digits', `${HEAD.replace('>1 ', '>1000 ')} - x`],
  ['nanoseconds', `${HEAD.replace('456Z', '456789Z')} - x`],
  ['an app name of 49 bytes', `${HEAD.replace(' app ', ` ${'a'.repeat(49)} `)} - x`],
  ['a hostname of 256 bytes', `${HEAD.replace(' host ', ` ${'h'.repeat(256)} `)} - x`],
  ['a process id of 129 bytes', `${HEAD.replace('[APP/PROC/WEB/3]', 'p'.repeat(129))} - x`],
  ['a message id of 33 bytes', `${HEAD.slice(0, -1)}${'m'.repeat(33)} - x`],
  ['an app name that is not ASCII', `${HEAD.replace(' app ', ' äpp ')} - x`],
  ['two blanks', `${HEAD}  - x`],
  ['no structured data', HEAD],
  ['text instead of structured data', `${HEAD} x`],
  ['structured data that is cut off', `${HEAD} [tags@1 a="b"`],
  ['a value that is cut off', `${HEAD} [tags@1 a="b`],
  ['a value that ends in an escape', `${HEAD} [tags@1 a="b\\`],
  ['an unescaped bracket', `${HEAD} [tags@1 a="]"] x`],
  ['an element without a name', `${HEAD} [] x`],
  ['an element twice', `${HEAD} [tags@1 a="b"][tags@1 c="d"] x`],
  ['a name of 33 bytes', `${HEAD} [${'n'.repeat(33)} a="b"] x`],
  ['no blank behind structured data', `${HEAD} [tags@1 a="b"]x`],
  ['257 elements', `${HEAD} ${Array.from({ length: 257 }, (_, n) => `[tags${n}]`).join('')} x`],
] as const) {
  test(`${what} is no RFC 5424`, (t) => {
    const bytes = Buffer.from(text);
    t.not(new SyslogMessage().read(bytes, 0, bytes.length), '');
  });
}

test('the limits themselves are kept to', (t) => {
  const text = `<191>999 - ${'h'.repeat(255)} ${'a'.repeat(48)} ${'p'.repeat(128)} ${'m'.repeat(32)}`;
  t.is(
    converted(`${text} [${`tags${'n'.repeat(28)}`} ${'k'.repeat(32)}="v"] x`)?.source_id?.length,
    48,
  );
});

test('an invalid value is refused, so that every envelope is what peers can read', (t) => {
  const bytes = Buffer.from(`${HEAD} [tags@1 a="?"] x`);
  bytes[bytes.indexOf('?')] = 0xff;
  t.is(new SyslogMessage().read(bytes, 0, bytes.length), 'structured data');
});

// Whatever comes, what is made is an envelope that the scan accepts.
for (const seed of [1, 2, 3, 5, 8, 13]) {
  test(`mutilated messages make sound envelopes or none, seed ${seed}`, (t) => {
    const random = randomFrom(seed);
    const samples = [
      `${HEAD} [tags@47450 a="b\\"" c="é"] hello`,
      `${HEAD} [counter@47450 name="n" delta="1" total="2"][tags@47450 a="b"]`,
      `${HEAD} [gauge@47450 name="n" value="1.5" unit="u"]`,
      `${HEAD} [timer@47450 name="n" start="1" stop="2"] x`,
    ];
    const message = new SyslogMessage();
    const envelope = new SyslogEnvelope({ trim: true, now: () => NOW });
    const batch = new Batch();
    let made = 0;
    for (let step = 0; step < 3000; step += 1) {
      const bytes = Buffer.from(samples[random(samples.length)] ?? '');
      for (let change = random(3); change > 0; change -= 1)
        bytes[random(bytes.length)] = random(256);
      const start = random(10) ? 0 : random(bytes.length);
      const end = random(10) ? bytes.length : start + random(bytes.length - start + 1);
      if (message.read(bytes, start, end) !== '') continue;
      const written = envelope.write(message);
      if (written === undefined) continue;
      made += 1;
      t.true(scanEnvelope(Buffer.from(written), batch), bytes.toString('latin1'));
    }
    t.true(made > 100);
  });
}

interface Shown {
  readonly timestamp: string;
  readonly source_id: string;
  readonly instance_id: string;
  readonly tags: Record<string, string>;
  readonly log?: { readonly payload: string; readonly type: string };
  readonly event?: unknown;
}

/** A message's envelope as protobufjs decodes it; undefined, if it makes none. */
function converted(text: string, trim = true): Shown | undefined {
  const bytes = Buffer.from(`#${text}#`);
  const message = new SyslogMessage();
  if (message.read(bytes, 1, bytes.length - 1) !== '') return undefined;
  const made = new SyslogEnvelope({ trim, now: () => NOW }).write(message);
  if (made === undefined) return undefined;
  const shown = loggregator.v2.Envelope.toObject(loggregator.v2.Envelope.decode(made), {
    longs: String,
    enums: String,
    json: true,
    defaults: true,
  });
  delete shown.deprecated_tags;
  const { log } = loggregator.v2.Envelope.decode(made);
  if (log) shown.log.payload = Buffer.from(log.payload ?? []).toString();
  return shown as Shown; // Its fields are those of the message.
}
