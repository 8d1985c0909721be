import test, { type ExecutionContext } from 'ava';
import type { Members, Zone } from './discovery.ts';
import { dnsMembers, openMembers } from './dns-members.ts';
import { type NameResolver, nameResolver, type ServiceRecord } from './dns-resolver.ts';
import { Metrics } from './metrics.ts';
import { eventually, ManualClock, type SpyLog, spyLog } from './testing.ts';
import { TestDns } from './testing-dns.ts';

const INTERVAL_MS = 5000;
const SERVICE = '_grpc._tcp.doppler.example';

test('nobody is asked when all members are IP addresses', async (t) => {
  const resolver = new FakeResolver();
  const zones = [{ name: 'az1', addresses: ['10.0.0.2:1', '[fd00::1]:1', '10.0.0.1:1'] }];
  using members = await openMembers(zones, { log: spyLog(), resolver });
  t.is(members.zones, zones);
  t.is(resolver.asked, 0);
});

test('every address of a name is a member, sorted as numbers, in the place of the name', async (t) => {
  const { members } = await following(t, {
    configured: ['10.0.9.9:1', 'doppler:2', '[::1]:3'],
    hosts: { doppler: ['10.0.1.12', '10.0.1.4', '9.255.0.1'] },
  });
  t.deepEqual(members.zones, [
    {
      name: 'az1',
      addresses: ['10.0.9.9:1', '9.255.0.1:2', '10.0.1.4:2', '10.0.1.12:2', '[::1]:3'],
    },
  ]);
  t.deepEqual(members.addresses, members.zones[0]?.addresses);
});

test('IPv6 addresses are sorted as numbers, too', async (t) => {
  const { members } = await following(t, {
    configured: ['six:1'],
    hosts: { six: ['fd00::10', 'fd00::9', '::2', 'fd00:0:1::'] },
  });
  t.deepEqual(members.addresses, ['[::2]:1', '[fd00::9]:1', '[fd00::10]:1', '[fd00:0:1::]:1']);
});

test('a server that two entries lead to is one member', async (t) => {
  const { members } = await following(t, {
    configured: ['10.0.0.1:1', 'a:1', 'b:1'],
    hosts: { a: ['10.0.0.1', '10.0.0.2'], b: ['10.0.0.2'] },
  });
  t.deepEqual(members.zones[0]?.addresses, ['10.0.0.1:1', '10.0.0.2:1']);
});

test('an address that DNS adds becomes a member, and listeners hear of it', async (t) => {
  const { members, resolver, again } = await following(t, { hosts: { doppler: ['10.0.0.1'] } });
  const heard: (readonly Zone[])[] = [];
  members.onChange((zones) => heard.push(zones));
  const left = members.onChange(() => t.fail('it has left'));
  left[Symbol.dispose]();
  resolver.hosts.set('doppler', ['10.0.0.2', '10.0.0.1']);
  await again();
  t.deepEqual(members.addresses, ['10.0.0.1:1', '10.0.0.2:1']);
  await again();
  t.deepEqual(heard, [members.zones]);
});

test('an address is gone when three answers in a row lack it, and not before', async (t) => {
  const { members, resolver, again } = await following(t, {
    hosts: { doppler: ['10.0.0.1', '10.0.0.2'] },
  });
  let changes = 0;
  members.onChange(() => {
    changes += 1;
  });
  for (const answer of [['10.0.0.1'], ['10.0.0.1'], ['10.0.0.2', '10.0.0.1'], ['10.0.0.2']]) {
    resolver.hosts.set('doppler', answer);
    await again();
    t.deepEqual(members.addresses, ['10.0.0.1:1', '10.0.0.2:1']);
  }
  t.is(changes, 0);
  await again();
  await again();
  t.deepEqual(members.addresses, ['10.0.0.2:1']);
  t.is(changes, 1);
});

test('a name that fails, or stands for nobody, keeps what it last stood for; that is counted and told', async (t) => {
  const { members, resolver, again, log, metrics } = await following(t, {
    hosts: { doppler: ['10.0.0.1'] },
  });
  for (const broken of [undefined, []]) {
    resolver.hosts.set('doppler', broken);
    for (let n = 0; n < 4; n += 1) await again();
    t.deepEqual(members.addresses, ['10.0.0.1:1']);
  }
  t.is(failures(metrics), 8);
  const lines = log.lines.filter(({ text }) => text === 'a name could not be resolved');
  t.is(lines.length, 8);
  t.true(
    lines.every(({ key }) => key === 'dns doppler:1'),
    'limited by name',
  );
});

test('a name that nobody knows yet holds its place, and is nobody to connect to', async (t) => {
  const { members, resolver, again } = await following(t, {
    configured: ['one:1', 'two:1', 'three:1'],
    hosts: { one: ['10.0.0.9'], two: undefined, three: ['10.0.0.3'] },
  });
  t.deepEqual(members.zones[0]?.addresses, ['10.0.0.9:1', 'two:1', '10.0.0.3:1']);
  t.deepEqual(members.addresses, ['10.0.0.9:1', '10.0.0.3:1']);
  resolver.hosts.set('two', ['10.0.0.2']);
  await again();
  t.deepEqual(members.addresses, ['10.0.0.9:1', '10.0.0.2:1', '10.0.0.3:1']);
});

test('a start does not wait longer than two seconds for a name', async (t) => {
  const clock = new ManualClock();
  const resolver = new FakeResolver();
  let answer: (ips: readonly string[]) => void = () => undefined;
  resolver.addresses = () =>
    new Promise((resolve) => {
      answer = resolve;
    });
  const zones = [{ name: 'az1', addresses: ['slow:1'] }];
  const opening = dnsMembers(zones, { log: spyLog(), clock, resolver });
  await clock.advance(2000);
  using members = await opening;
  t.deepEqual(members.zones, zones);
  t.deepEqual(members.addresses, []);
  answer(['10.0.0.1']);
  await eventually(() => members.addresses.length === 1);
  t.deepEqual(members.addresses, ['10.0.0.1:1']);
});

test('one name that hangs holds up no other', async (t) => {
  const { members, resolver, clock } = await following(t, {
    configured: ['quick:1', 'hangs:1'],
    hosts: { quick: ['10.0.0.1'], hangs: ['10.0.0.2'] },
  });
  const before = resolver.addresses;
  resolver.addresses = (host) =>
    host === 'hangs' ? new Promise(() => undefined) : before.call(resolver, host);
  resolver.hosts.set('quick', ['10.0.0.1', '10.0.0.3']);
  await clock.advance(INTERVAL_MS);
  await eventually(() => members.addresses.length === 3);
  t.deepEqual(members.addresses, ['10.0.0.1:1', '10.0.0.3:1', '10.0.0.2:1']);
});

test('whoever has disposed of members hears nothing more, and asks nobody', async (t) => {
  const { members, resolver, clock } = await following(t, { hosts: { doppler: ['10.0.0.1'] } });
  members.onChange(() => t.fail());
  resolver.hosts.set('doppler', ['10.0.0.1', '10.0.0.2']);
  members[Symbol.dispose]();
  const { asked } = resolver;
  await clock.advance(3 * INTERVAL_MS);
  t.is(resolver.asked, asked);
  t.deepEqual(members.addresses, ['10.0.0.1:1']);
});

test('the servers of a service are in the order of their names, numbers in them as numbers', async (t) => {
  const { members, resolver, again } = await following(t, {
    configured: [SERVICE],
    hosts: { 'd-2.example': ['10.0.0.1'], 'd-10.example': ['10.0.0.3', '10.0.0.2'] },
    services: [
      { name: 'd-10.example', port: 8082 },
      { name: 'd-2.example', port: 8083 },
      { name: 'd-2.example', port: 8082 },
    ],
  });
  t.deepEqual(members.addresses, ['10.0.0.1:8082', '10.0.0.1:8083', '10.0.0.2:8082']);
  resolver.hosts.set('d-2.example', ['10.0.0.77']);
  await again();
  t.deepEqual(
    members.addresses,
    ['10.0.0.77:8082', '10.0.0.77:8083', '10.0.0.2:8082'],
    'who comes back elsewhere keeps the place, and the former address is gone at once',
  );
  resolver.hosts.set('d-2.example', undefined);
  await again();
  t.deepEqual(members.addresses, ['10.0.0.77:8082', '10.0.0.77:8083', '10.0.0.2:8082']);
});

test('a server of a service whose host nobody knows yet holds its place', async (t) => {
  const { members, metrics } = await following(t, {
    configured: [SERVICE],
    hosts: { one: ['10.0.0.1'], two: undefined },
    services: [
      { name: 'one', port: 1 },
      { name: 'two', port: 1 },
    ],
  });
  t.deepEqual(members.zones[0]?.addresses, ['10.0.0.1:1', 'two:1']);
  t.deepEqual(members.addresses, ['10.0.0.1:1']);
  t.is(failures(metrics), 1);
});

test('the machine knows its own names', async (t) => {
  const resolver = nameResolver();
  t.true((await resolver.addresses('localhost')).includes('127.0.0.1'));
  await t.throwsAsync(resolver.addresses('nobody.invalid'));
});

test('a real DNS server is asked, and followed as it changes', async (t) => {
  await using dns = await TestDns.listen();
  dns.setHost('doppler.example', ['10.0.0.10', '10.0.0.9', 'fd00::1']);
  dns.setHost('six.example', ['fd00::2']);
  dns.setService(SERVICE, [{ target: 'doppler.example', port: 99 }]);
  const zones = [
    { name: 'az1', addresses: ['doppler.example:1', 'six.example:2'] },
    { name: 'az2', addresses: [SERVICE, 'later.example:3'] },
  ];
  const clock = new ManualClock();
  const settings = { servers: [dns.address], intervalMs: INTERVAL_MS };
  using members = await dnsMembers(zones, { dns: settings, log: spyLog(), clock });
  t.deepEqual(members.zones, [
    { name: 'az1', addresses: ['10.0.0.9:1', '10.0.0.10:1', '[fd00::2]:2'] },
    { name: 'az2', addresses: ['10.0.0.9:99', 'later.example:3'] },
  ]);
  dns.setHost('later.example', ['10.0.0.20']);
  dns.setHost('doppler.example', ['10.0.0.11', '10.0.0.10', '10.0.0.9']);
  dns.fail('six.example');
  await eventually(() => clock.sleeping === 4);
  await clock.advance(INTERVAL_MS);
  await eventually(() => members.addresses.includes('10.0.0.20:3'));
  await eventually(() => members.addresses.includes('10.0.0.11:1'));
  t.deepEqual(members.zones, [
    { name: 'az1', addresses: ['10.0.0.9:1', '10.0.0.10:1', '10.0.0.11:1', '[fd00::2]:2'] },
    { name: 'az2', addresses: ['10.0.0.9:99', '10.0.0.20:3'] },
  ]);
});

test('a server that fails to tell the IPv4 addresses is not asked for others instead', async (t) => {
  await using dns = await TestDns.listen();
  dns.setHost('doppler.example', ['10.0.0.10', 'fd00::1']);
  dns.fail('doppler.example', 'REFUSED');
  const resolver = nameResolver([dns.address]);
  await t.throwsAsync(resolver.addresses('doppler.example'), { code: 'EREFUSED' });
  t.is(dns.queries, 1);
});

class FakeResolver implements NameResolver {
  /** Undefined can't be found out. */
  readonly hosts = new Map<string, readonly string[] | undefined>();
  records: readonly ServiceRecord[] = [];
  asked = 0;

  async addresses(host: string): Promise<readonly string[]> {
    this.asked += 1;
    const found = this.hosts.get(host);
    if (found === undefined) throw new Error(`${host} is not known`);
    return found;
  }

  async services(): Promise<readonly ServiceRecord[]> {
    this.asked += 1;
    return this.records;
  }
}

interface Following {
  readonly members: Members;
  readonly resolver: FakeResolver;
  readonly clock: ManualClock;
  readonly log: SpyLog;
  readonly metrics: Metrics;
  /** Has all names looked up once more. */
  readonly again: () => Promise<void>;
}

async function following(
  t: ExecutionContext,
  options: {
    readonly configured?: readonly string[];
    readonly hosts: Readonly<Record<string, readonly string[] | undefined>>;
    readonly services?: readonly ServiceRecord[];
  },
): Promise<Following> {
  const resolver = new FakeResolver();
  for (const [host, ips] of Object.entries(options.hosts)) resolver.hosts.set(host, ips);
  resolver.records = options.services ?? [];
  const clock = new ManualClock();
  const log = spyLog();
  const metrics = new Metrics({ origin: 'test' });
  const zones = [{ name: 'az1', addresses: options.configured ?? ['doppler:1'] }];
  const members = await dnsMembers(zones, { log, metrics, clock, resolver });
  t.teardown(() => members[Symbol.dispose]());
  const { sleeping } = clock;
  const again = async (): Promise<void> => {
    await clock.advance(INTERVAL_MS);
    await eventually(() => clock.sleeping === sleeping);
  };
  return { members, resolver, clock, log, metrics, again };
}

function failures(metrics: Metrics): number | undefined {
  return [...metrics.series()].find(({ name }) => name === 'dns_failures')?.value;
}
