import test from 'ava';
import { createLogger } from './log.ts';
import { type LogFormat, logFormat, textLine } from './log-text.ts';

const FORMATS: readonly (readonly [string | undefined, LogFormat])[] = [
  [undefined, 'json'],
  ['', 'json'],
  ['true', 'rfc3339'],
  ['1', 'rfc3339'],
  ['false', 'local'],
  ['0', 'local'],
  ['yes', 'local'],
];

for (const [setting, format] of FORMATS) {
  test(`USE_RFC339 ${setting === undefined ? 'unset' : `of '${setting}'`} is ${format}`, (t) => {
    t.is(logFormat(setting), format);
  });
}

test('USE_RFC339=true writes UTC with nine digits, as the original, and then the facts', (t) => {
  const lines: string[] = [];
  const destination = { write: (line: string) => lines.push(line) };
  const log = createLogger('doppler', { level: 'info', destination, format: 'rfc3339' });
  log.info({}, 'listening');
  log.child({ peer: 'a:1' }).warn({ text: 'two\nlines' }, 'a peer is gone');
  t.regex(lines[0] ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}000000Z listening\n$/);
  t.true(lines[1]?.endsWith('Z a peer is gone {"peer":"a:1","text":"two\\nlines"}\n'));
});

test('USE_RFC339=false writes local time with six digits, as the original', (t) => {
  const time = new Date(2026, 0, 2, 3, 4, 5, 67);
  const json = JSON.stringify({
    level: 30,
    time: time.toISOString(),
    name: 'x',
    msg: 'up',
    port: 1,
  });
  t.is(textLine(json, 'local'), '2026/01/02 03:04:05.067000 up {"port":1}\n');
});
