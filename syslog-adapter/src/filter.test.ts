import { Kind } from '@standpipe/protos';
import test from 'ava';
import { filterOf } from './filter.ts';

const CASES: readonly (readonly [string, string])[] = [
  ['', 'log event'],
  ['drain-type=logs', 'log'],
  ['drain-type=metrics', 'counter gauge'],
  ['drain-type=all', 'log counter gauge'],
  ['drain-type=nonsense', 'log event'],
  ['drain-data=logs', 'log event'],
  ['drain-data=metrics', 'counter gauge'],
  ['drain-data=traces', 'timer'],
  ['drain-data=all', 'log counter gauge timer event'],
  ['drain-type=metrics&drain-data=traces', 'timer'],
  ['drain-type=metrics&drain-data=nonsense', 'counter gauge'],
  ['include-metrics-deprecated=true', 'log counter gauge timer event'],
  ['include-metrics-deprecated=x&drain-data=traces', 'log counter gauge timer event'],
  ['include-metrics-deprecated=&drain-type=logs', 'log'],
];

for (const [query, kinds] of CASES) {
  test(`a drain with ?${query} gets ${kinds}`, (t) => {
    t.is(kindsOf(query), kinds);
  });
}

const METADATA: readonly (readonly [string, boolean, boolean])[] = [
  ['', true, true],
  ['', false, false],
  ['disable-metadata=true', true, false],
  ['disable-metadata=false', true, true],
  ['disable-metadata=false', false, true],
  ['disable-metadata=true', false, false],
  ['omit-metadata=true', true, false],
  ['omit-metadata=false', false, true],
  ['disable-metadata=false&omit-metadata=true', true, true],
  ['disable-metadata=&omit-metadata=true', true, false],
  ['disable-metadata=1', true, true],
];

for (const [query, platform, expected] of METADATA) {
  test(`with tags ${platform ? 'on' : 'off'} for all, ?${query} turns them ${expected ? 'on' : 'off'}`, (t) => {
    t.is(filterOf(new URL(`syslog://host:514/?${query}`), platform).metadata, expected);
  });
}

function kindsOf(query: string): string {
  const { kinds } = filterOf(new URL(`syslog://host:514/?${query}`), true);
  return ['log', 'counter', 'gauge', 'timer', 'event']
    .filter((name) => kinds & (1 << Kind[name as keyof typeof Kind]))
    .join(' ');
}
