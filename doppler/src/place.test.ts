import test from 'ava';
import { placeOf } from './place.ts';

const MACHINE = (): readonly string[] => ['127.0.0.1', '10.0.0.2', 'fd00::2'];

const PLACES: readonly (readonly [string, Settings, readonly string[], number | undefined])[] = [
  ["the member with the machine's address and its port", {}, ['10.0.0.1:8082', '10.0.0.2:8082'], 1],
  ['nobody, when only the port of it differs', {}, ['10.0.0.1:8082', '10.0.0.2:8083'], undefined],
  ['nobody, when the zone is but others', {}, ['10.0.0.1:8082', '10.0.0.3:8082'], undefined],
  ['nobody, when the machine is two of them', {}, ['10.0.0.2:8082', '127.0.0.1:8082'], undefined],
  ['the member with its IPv6 address', {}, ['[fd00::1]:8082', '[fd00::2]:8082'], 1],
  ['what NODE_ADDR says', { nodeAddress: '10.0.0.9:1' }, ['10.0.0.2:8082', '10.0.0.9:1'], 1],
  [
    'nobody, when NODE_ADDR is not there',
    { nodeAddress: '10.0.0.9:1' },
    ['10.0.0.2:8082', 'x:1'],
    undefined,
  ],
  [
    'the one address it listens on',
    { grpcAddress: '127.0.0.3:1' },
    ['127.0.0.1:1', '127.0.0.3:1'],
    1,
  ],
];

interface Settings {
  readonly nodeAddress?: string;
  readonly grpcAddress?: string;
}

for (const [what, settings, addresses, place] of PLACES) {
  test(`a Doppler among names is ${what}`, (t) => {
    const zones = [{ name: 'az1', addresses: ['doppler.example:8082'] }];
    const find = placeOf({ ...defaults(), zones, ...settings }, MACHINE);
    t.is(typeof find === 'function' ? find(addresses) : find, place);
  });
}

test('NODE_INDEX counts for a Doppler behind a name of its own that is not its address', (t) => {
  const zones = [{ name: 'az1', addresses: ['d0.example:1', 'd1.example:1'] }];
  const find = placeOf({ ...defaults(), zones, nodeIndex: 1 }, MACHINE);
  if (typeof find !== 'function') return t.fail();
  t.is(find(['172.16.0.1:1', '172.16.0.2:1']), 1);
  t.is(find(['172.16.0.1:1', '172.16.0.2:1', '172.16.0.3:1']), undefined);
});

test('NODE_INDEX alone counts where all are IP addresses', (t) => {
  const zones = [{ name: 'az1', addresses: ['10.0.0.2:8082', '10.0.0.3:8082'] }];
  t.is(placeOf({ ...defaults(), zones, nodeIndex: 1 }, MACHINE), 1);
});

function defaults(): Parameters<typeof placeOf>[0] {
  return { zones: [], zone: 'az1', nodeIndex: 0, nodeAddress: '', grpcAddress: '0.0.0.0:8082' };
}
