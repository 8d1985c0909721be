/**
 * The clients of other nodes, by address: one each, made when it is first asked for, and shared by
 * those who read from the node and those who send to it.
 */

import { LogCacheClient, type LogCacheClientOptions } from './client.ts';
import { Turns } from './turns.ts';

export class Clients implements AsyncDisposable {
  /** In which what all of them answer is read and merged. */
  readonly turns: Turns;
  readonly #options: Omit<LogCacheClientOptions, 'address'>;
  readonly #byAddress = new Map<string, LogCacheClient>();

  constructor(options: Omit<LogCacheClientOptions, 'address'>) {
    this.turns = options.turns ?? new Turns();
    this.#options = { ...options, turns: this.turns };
  }

  of(address: string): LogCacheClient {
    const known = this.#byAddress.get(address);
    if (known) return known;
    const client = new LogCacheClient({ address, ...this.#options });
    this.#byAddress.set(address, client);
    return client;
  }

  /** Closes those of all other addresses. What was asked of them is still answered. */
  async keep(addresses: ReadonlySet<string>): Promise<void> {
    for (const address of this.#byAddress.keys()) {
      if (!addresses.has(address)) await this.close(address);
    }
  }

  /** Closes that of one address. What was asked of it is still answered. */
  async close(address: string): Promise<void> {
    const client = this.#byAddress.get(address);
    this.#byAddress.delete(address);
    await client?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.keep(new Set());
  }
}
