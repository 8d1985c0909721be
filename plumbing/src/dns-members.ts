/**
 * Members by their names: each stands for all addresses that it resolves to, and is looked up
 * again and again.
 *
 *     az1 = doppler.example:8082, 10.0.9.9:8082        as it is set
 *           ├─ 10.0.1.4:8082  ├─ 10.0.9.9:8082         zones: the entries in their order, the
 *           └─ 10.0.1.12:8082                          addresses of one sorted as numbers
 *
 * All processes must come to the same order with nothing to go by but the answer of the moment.
 * Addresses are sorted as numbers, the servers of a service by their host names, numbers in them
 * as numbers; so what is added last tends to come last, which moves the fewest sources.
 *
 * A name that can't be resolved, or for nobody, keeps what it last stood for; one that never was
 * keeps its own place, as it is written. An address is gone when GONE_AFTER answers in a row lack
 * it, so that a server which leaves one out now and then changes nothing. Of one name at most
 * ADDRESSES_MAX count. One look-up at a time per name.
 */

import { isIP } from 'node:net';
import { formatAddress, parseAddress } from './address.ts';
import { type Clock, systemClock } from './clock.ts';
import {
  type DnsSettings,
  isLiteral,
  isServiceName,
  type Members,
  staticMembers,
  type Zone,
} from './discovery.ts';
import { type NameResolver, nameResolver } from './dns-resolver.ts';
import type { Log } from './log.ts';
import type { Counter, Metrics } from './metrics.ts';

const INTERVAL_MS_DEFAULT = 5000;
const GONE_AFTER = 3;
const ADDRESSES_MAX = 1000;

/** How long a start waits for names; then it goes on with those that are known. */
const FIRST_LIMIT_MS = 2000;

export interface MembersOptions {
  /** Default: as the machine looks up names, every five seconds. */
  readonly dns?: DnsSettings | undefined;
  readonly log: Log;
  readonly metrics?: Metrics;
  readonly clock?: Clock;
  /** Default: made from `dns`. */
  readonly resolver?: NameResolver;
}

/** The members that settings name: static if all are IP addresses, else by their names. */
export async function openMembers(
  zones: readonly Zone[],
  options: MembersOptions,
): Promise<Members> {
  if (zones.every(({ addresses }) => addresses.every(isLiteral))) return staticMembers(zones);
  return dnsMembers(zones, options);
}

/** Looks all names up once, for two seconds at most, and then follows them. */
export async function dnsMembers(
  zones: readonly Zone[],
  options: MembersOptions,
): Promise<Members> {
  const members = new DnsMembers(zones, options);
  await members.lookedUp();
  return members;
}

/** A server that an answer names. The key decides its place, and whether it was there before. */
interface Found {
  readonly key: string;
  readonly address: string;
}

class DnsMembers implements Members {
  readonly #configured: readonly Zone[];
  readonly #names = new Map<string, Name>();
  readonly #resolver: NameResolver;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #log: Log;
  readonly #failures: Counter | undefined;
  readonly #listeners = new Set<(zones: readonly Zone[]) => void>();
  readonly #stop = new AbortController();
  readonly #first: Promise<unknown>;
  #zones: readonly Zone[];

  constructor(zones: readonly Zone[], options: MembersOptions) {
    const { dns = { servers: [], intervalMs: INTERVAL_MS_DEFAULT }, log, metrics } = options;
    this.#configured = zones;
    this.#resolver = options.resolver ?? nameResolver(dns.servers);
    this.#clock = options.clock ?? systemClock;
    this.#intervalMs = dns.intervalMs;
    this.#log = log;
    this.#failures = metrics?.counter(
      'dns_failures',
      'Times that a name could not be resolved; what it last stood for stays.',
    );
    for (const entry of zones.flatMap(({ addresses }) => addresses)) {
      if (!isLiteral(entry)) this.#names.set(entry, new Name(entry));
    }
    this.#zones = this.#expanded();
    const asked = [...this.#names.values()].map((name) => ({ name, first: this.#ask(name) }));
    this.#first = Promise.all(asked.map(({ first }) => first));
    for (const { name, first } of asked) void this.#follow(name, first); // It does not reject.
  }

  get zones(): readonly Zone[] {
    return this.#zones;
  }

  get addresses(): readonly string[] {
    return [...new Set(this.#zones.flatMap(({ addresses }) => addresses))].filter(isLiteral);
  }

  onChange(listener: (zones: readonly Zone[]) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Resolves when every name has been asked for, or after two seconds. */
  async lookedUp(): Promise<void> {
    const limit = new AbortController();
    await Promise.race([this.#first, this.#clock.sleep(FIRST_LIMIT_MS, limit.signal)]);
    limit.abort();
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#listeners.clear();
  }

  async #follow(name: Name, first: Promise<void>): Promise<void> {
    const { signal } = this.#stop;
    await first;
    while (!signal.aborted) {
      await this.#clock.sleep(this.#intervalMs, signal);
      if (!signal.aborted) await this.#ask(name);
    }
  }

  /** Looks a name up. What goes wrong is told here, for nobody else can do anything about it. */
  async #ask(name: Name): Promise<void> {
    const failed = (error: unknown): void => this.#tell(name, error);
    try {
      const answer = await name.lookUp(this.#resolver, failed);
      if (this.#stop.signal.aborted) return;
      if (answer.length === 0) failed(new Error('the answer is empty'));
      else if (name.answered(answer)) this.#publish(name);
    } catch (error) {
      failed(error);
    }
  }

  #tell({ entry, addresses }: Name, error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#failures?.add(1);
    const fields = { entry, known: addresses, error };
    this.#log.limited(`dns ${entry}`, 'warn', fields, 'a name could not be resolved');
  }

  #publish({ entry, addresses }: Name): void {
    this.#log.info({ entry, addresses }, 'a name stands for other addresses than before');
    this.#zones = this.#expanded();
    for (const listener of this.#listeners) listener(this.#zones);
  }

  /** The zones as set, with what each name stands for in its place. */
  #expanded(): readonly Zone[] {
    return this.#configured.map(({ name, addresses }) => ({
      name,
      addresses: [
        ...new Set(addresses.flatMap((entry) => this.#names.get(entry)?.addresses ?? [entry])),
      ],
    }));
  }
}

/** One entry of the settings that is a name, and what it stands for. */
class Name {
  readonly entry: string;
  /** By their keys. */
  #known = new Map<string, { readonly address: string; readonly missed: number }>();

  constructor(entry: string) {
    this.entry = entry;
  }

  /** In their order; undefined as long as nothing is known. */
  get addresses(): readonly string[] | undefined {
    if (this.#known.size === 0) return undefined;
    return [...this.#known.values()].map(({ address }) => address);
  }

  /** What it stands for now. `failed` hears of a service's hosts that can't be resolved. */
  async lookUp(
    resolver: NameResolver,
    failed: (error: unknown) => void,
  ): Promise<readonly Found[]> {
    if (isServiceName(this.entry)) return servicesOf(this.entry, resolver, failed);
    const { host, port } = parseAddress(this.entry) ?? { host: this.entry, port: 0 };
    const found = await resolver.addresses(host);
    return found.map((ip) => ({
      key: sortableAddress(ip),
      address: formatAddress({ host: ip, port }),
    }));
  }

  /** Takes an answer in, and says whether it changed anything. */
  answered(answer: readonly Found[]): boolean {
    const before = this.#known;
    const next = new Map<string, { readonly address: string; readonly missed: number }>();
    for (const { key, address } of answer) {
      // A host of a service that can't be resolved just now is where it was.
      const known = before.get(key);
      const isBetter = isLiteral(address) || known === undefined;
      next.set(key, { address: isBetter ? address : known.address, missed: 0 });
    }
    for (const [key, { address, missed }] of before) {
      if (!next.has(key) && missed + 1 < GONE_AFTER) next.set(key, { address, missed: missed + 1 });
    }
    const sorted = [...next].toSorted(([a], [b]) => order(a, b)).slice(0, ADDRESSES_MAX);
    const wasKnown = String(this.addresses);
    this.#known = new Map(sorted);
    return String(this.addresses) !== wasKnown;
  }
}

/** The servers of a service: each of its hosts by the lowest of the host's addresses. */
async function servicesOf(
  name: string,
  resolver: NameResolver,
  failed: (error: unknown) => void,
): Promise<readonly Found[]> {
  const records = await resolver.services(name);
  const found = records.map(async ({ name: host, port }) => {
    const ips = await resolver.addresses(host).catch((error: unknown) => {
      failed(error);
      return [];
    });
    const [lowest = host] = ips.toSorted((a, b) => order(sortableAddress(a), sortableAddress(b)));
    return {
      key: `${sortableText(host.toLowerCase())} ${sortableText(String(port))}`,
      address: formatAddress({ host: lowest, port }),
    };
  });
  return Promise.all(found);
}

function order(a: string, b: string): number {
  return a < b ? -1 : 1;
}

/** A text that is sorted as the number would be that the address is. */
function sortableAddress(ip: string): string {
  if (isIP(ip) !== 6) return sortableText(ip);
  const [head = '', tail = ''] = ip.split('::');
  const left = head.split(':').filter((group) => group !== '');
  const right = tail.split(':').filter((group) => group !== '');
  const zeros = ip.includes('::') ? Math.max(0, 8 - left.length - right.length) : 0;
  const groups = [...left, ...new Array<string>(zeros).fill('0'), ...right];
  return groups.map((group) => group.padStart(4, '0')).join(':');
}

/** A text that is sorted with the numbers in it taken as numbers. */
function sortableText(text: string): string {
  return text.replace(/\d+/g, (digits) => digits.padStart(12, '0'));
}
