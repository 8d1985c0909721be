import type { Client } from '@grpc/grpc-js';
import { eventually } from '@standpipe/plumbing/testing';
import test from 'ava';
import type { IngressConnection } from '../ingress-client-connection.ts';
import { DopplerRoutes } from './doppler-routes.ts';

test('when the Doppler of another zone that stood in goes away, the next one is asked', async (t) => {
  const connections = new Map<string, FakeConnection>();
  let told: Client | undefined;
  let tellings = 0;
  await using routes = new DopplerRoutes({
    zone: { name: 'a', addresses: ['a:1'] },
    otherZones: [{ name: 'b', addresses: ['b:1', 'b:2'] }],
    failoverAfterMs: 50,
    connect: (address, onChange) => {
      const connection = new FakeConnection(onChange);
      connections.set(address, connection);
      return connection as unknown as IngressConnection; // As much of one as is asked for here.
    },
    onChange: () => {
      told = routes.route(0);
      tellings += 1;
    },
  });
  await eventually(() => connections.size === 3, { timeoutMs: 5000 });
  const first = connections.get('b:1')?.goUp();
  const second = connections.get('b:2')?.goUp();
  t.is(told, first);
  const before = tellings;
  await eventually(() => tellings > before, { timeoutMs: 5000, what: 'the look after joining' });

  connections.get('b:1')?.goDown();
  t.is(told, undefined);
  await eventually(() => told === second && told !== undefined, { timeoutMs: 5000 });
  t.pass();
});

class FakeConnection {
  client: Client | undefined;
  readonly #onChange: () => void;
  #downSinceMs = performance.now();

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get downMs(): number {
    return this.client ? 0 : performance.now() - this.#downSinceMs;
  }

  goUp(): Client {
    this.client = {} as Client; // Only its identity counts here.
    this.#onChange();
    return this.client;
  }

  goDown(): void {
    this.client = undefined;
    this.#downSinceMs = performance.now();
    this.#onChange();
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
