/**
 * One connection to a `loggregator.v2.Ingress` that opens itself again whenever it is lost.
 *
 *     waiting ──dial──▶ reaching ──ready──▶ up ──lost, or goodbye──▶ waiting …
 *                          └──failed, or 5 s──▶ waiting (longer each time, up to 2 s)
 *
 * Each try dials anew, so a name is looked up again and no state of the last connection lingers.
 * A connection that the server says goodbye to counts as lost at once; calls that are open on it
 * may still end in peace, for closing a client leaves its calls alone. Nothing is lost here: a
 * connection carries streams, and what waits for one waits in a lane's queue.
 */

import { type Client, connectivityState as State } from '@grpc/grpc-js';
import { Backoff, dial, type Log, systemClock, type Tls } from '@standpipe/plumbing';

/** How long one try to connect may take. */
const REACH_LIMIT_MS = 5_000;
/** A connection that lived for less than this does not shorten the wait before the next try. */
const STABLE_AFTER_MS = 1_000;
const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 2_000;

export interface IngressConnectionOptions {
  /** host:port */
  readonly address: string;
  readonly tls: Tls | undefined;
  /** The name that the server's certificate must hold. */
  readonly serverName: string;
  readonly log: Log;
  /** Called whenever `client` has changed. */
  readonly onChange: () => void;
  /** Says before each try what to dial; the address itself, when it is left out. */
  readonly resolve?: (address: string) => Promise<string>;
}

export class IngressConnection implements AsyncDisposable {
  readonly address: string;
  readonly #options: IngressConnectionOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #client: Client | undefined;
  #changedAt = systemClock.now();
  #hangUp: (() => void) | undefined;

  constructor(options: IngressConnectionOptions) {
    this.address = options.address;
    this.#options = options;
    this.#running = this.#run();
  }

  /** The client to open streams on; undefined while there is no connection. */
  get client(): Client | undefined {
    return this.#client;
  }

  /** For how long there has been no connection; zero while there is one. */
  get downMs(): number {
    return this.#client ? 0 : systemClock.now() - this.#changedAt;
  }

  /** Gives the connection up and dials again: how load spreads over a name's addresses. */
  renew(): void {
    this.#hangUp?.();
  }

  /** Closes the connection; streams that are still open on it may end by themselves. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#hangUp?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    const backoff = new Backoff({ firstMs: BACKOFF_FIRST_MS, maxMs: BACKOFF_MAX_MS });
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const upMs = await this.#connectOnce();
      if (upMs >= STABLE_AFTER_MS) backoff.reset();
      if (!signal.aborted) await systemClock.sleep(backoff.next(), signal);
    }
  }

  /** Connects, and resolves when the connection is gone, with how long it was there. */
  async #connectOnce(): Promise<number> {
    const { address, log } = this.#options;
    const client = await this.#dial();
    if (!client) return 0;

    const deadline = Date.now() + REACH_LIMIT_MS; // gRPC reads the wall clock.
    const state = await untilState(
      client,
      (now) => now === State.READY || hasFailed(now),
      deadline,
    );
    if (state !== State.READY) {
      this.#hangUp?.();
      if (!this.#stop.signal.aborted) {
        log.limited(
          `unreachable ${address}`,
          'warn',
          { address },
          'cannot be reached, trying again',
        );
      }
      return 0;
    }

    log.info({ address }, 'connected');
    const since = this.#change(client);
    await untilState(client, (now) => now !== State.READY, Number.POSITIVE_INFINITY);
    this.#hangUp?.();
    log.info({ address }, 'connection ended');
    return this.#change(undefined) - since;
  }

  async #dial(): Promise<Client | undefined> {
    const { address, tls, serverName, log, resolve } = this.#options;
    let target = address;
    try {
      if (resolve) target = await resolve(address);
    } catch (error) {
      log.limited(`unresolved ${address}`, 'warn', { address, error }, 'name cannot be looked up');
      return undefined;
    }
    if (this.#stop.signal.aborted) return undefined;
    const client = dial({ address: target, tls, serverName });
    this.#hangUp = () => {
      this.#hangUp = undefined;
      client.close();
    };
    return client;
  }

  #change(client: Client | undefined): number {
    this.#client = client;
    this.#changedAt = systemClock.now();
    this.#options.onChange();
    return this.#changedAt;
  }
}

function hasFailed(state: State): boolean {
  return state === State.TRANSIENT_FAILURE;
}

/** The first state that is wanted; the state of the moment, once the deadline is past or it is closed. */
function untilState(
  client: Client,
  isWanted: (state: State) => boolean,
  deadline: number,
): Promise<State> {
  const channel = client.getChannel();
  return new Promise((resolve) => {
    const look = (late?: Error): void => {
      // A closed channel answers IDLE or SHUTDOWN, and must not be asked to connect.
      const state = channel.getConnectivityState(false);
      if (late || state === State.SHUTDOWN || isWanted(state)) resolve(state);
      else channel.watchConnectivityState(state, deadline, look);
    };
    if (channel.getConnectivityState(false) === State.IDLE) channel.getConnectivityState(true);
    look();
  });
}
