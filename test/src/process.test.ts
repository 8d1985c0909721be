import test from 'ava';
import { ManagedProcess } from './process.ts';

test('a process that saves a log cache is given as long to stop as it may take', (t) => {
  const plain = stopLimitMs({});
  t.is(stopLimitMs({ LOG_CACHE_DATA_DIR: '/data' }), plain + 20_000);
  t.is(stopLimitMs({ LOG_CACHE_DATA_DIR: '/data', LOG_CACHE_SAVE_TIMEOUT: '3m' }), plain + 180_000);
  t.is(stopLimitMs({ LOG_CACHE_SAVE_TIMEOUT: '3m' }), plain, 'without a folder it saves nothing');
});

function stopLimitMs(env: Readonly<Record<string, string>>): number {
  const spec = { name: 'doppler', sourceId: 'doppler', command: [], listeners: [], env };
  return new ManagedProcess(spec, () => {}).stopLimitMs;
}
