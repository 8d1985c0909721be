/**
 * The keys that UAA signs tokens with, fetched from its /token_keys and kept.
 *
 *     unknown key id, or 5 minutes ──▶ refresh, at most one in 5 s ──▶ UAA's whole list, or the old stays
 *
 * A key that UAA lists no more is good for nothing; that is found out within KEPT_MS also when no
 * token names another, or whoever has got hold of a key could use it for ever. A list with a broken key in it is no list at
 * all. Nothing waits for the first list but the requests that need it, for FIRST_WAIT_MS at most.
 * Until UAA has answered once it is asked again and again, after pauses of 0.5 s up to 5 s, however
 * many tokens come.
 */

import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import {
  Backoff,
  type Clock,
  type Counter,
  type Log,
  type Outgoing,
  OutgoingError,
} from '@standpipe/plumbing';
import { fieldsIn, objectsIn } from './answers.ts';

const REFRESH_INTERVAL_MS = 5000;
const KEPT_MS = 300_000;
const FIRST_PAUSE = { firstMs: 500, maxMs: 5000 };
/** As long as the longest of those pauses. */
const FIRST_WAIT_MS = 5000;
const KEYS_MAX = 1000;
/** What RS256 asks of a key; tokens of a smaller one are refused. */
const RSA_BITS_MIN = 2048;

export interface TokenKey {
  readonly algorithm: 'RS256' | 'HS256';
  readonly key: KeyObject;
}

export interface TokenKeysOptions {
  readonly uaa: Outgoing;
  /** Who asks; nobody in particular, unless both are set. */
  readonly client: string;
  readonly secret: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Counts lists that could not be had. */
  readonly failures: Counter;
}

/** An answer that is no list of keys. */
class KeysError extends Error {
  override readonly name = 'KeysError';
}

export class TokenKeys implements AsyncDisposable {
  readonly #options: TokenKeysOptions;
  #keys: ReadonlyMap<string, TokenKey> | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  readonly #closed = new AbortController();
  readonly #closing = aborted(this.#closed.signal);
  readonly #started: Promise<void>;
  readonly #followed: Promise<void>;

  constructor(options: TokenKeysOptions) {
    this.#options = options;
    this.#started = this.#fetchFirst();
    this.#followed = this.#follow();
  }

  /**
   * Whether there are keys to judge by. That UAA answers for the first time is waited for, but not
   * long.
   */
  async areHere(): Promise<boolean> {
    if (this.#keys !== undefined) return true;
    const over = new AbortController();
    const late = this.#options.clock.sleep(FIRST_WAIT_MS, over.signal);
    await Promise.race([this.#started, late]);
    over.abort();
    return this.#keys !== undefined;
  }

  /** The key of this id as it is known now. */
  known(id: string): TokenKey | undefined {
    return this.#keys?.get(id);
  }

  /** The key of this id; UAA is asked for one that is not known. */
  async find(id: string): Promise<TokenKey | undefined> {
    if (this.#keys?.has(id) !== true) await this.refresh();
    return this.known(id);
  }

  /**
   * Asks UAA, unless that was done a moment ago, or goes on until it has answered for the first time.
   * Never rejects: a failure is told and counted.
   */
  refresh(): Promise<void> {
    if (this.#asking !== undefined) return this.#asking;
    const agoMs = this.#options.clock.now() - this.#askedAt;
    return this.#keys === undefined || agoMs < REFRESH_INTERVAL_MS
      ? Promise.resolve()
      : this.#ask();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await this.#followed;
  }

  async #fetchFirst(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closed;
    const backoff = new Backoff(FIRST_PAUSE);
    while (this.#keys === undefined && !signal.aborted) {
      // What is still asked for when this is closed ends with the connection to UAA.
      await Promise.race([this.#ask(), this.#closing]);
      if (this.#keys === undefined) await clock.sleep(backoff.next(), signal);
    }
  }

  async #follow(): Promise<void> {
    const { signal } = this.#closed;
    await this.#started;
    while (!signal.aborted) {
      await this.#options.clock.sleep(KEPT_MS, signal);
      if (!signal.aborted) await Promise.race([this.refresh(), this.#closing]);
    }
  }

  #ask(): Promise<void> {
    this.#askedAt = this.#options.clock.now();
    this.#asking = this.#fetch().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #fetch(): Promise<void> {
    const { uaa, client, secret, log, failures } = this.#options;
    const basic = Buffer.from(`${client}:${secret}`).toString('base64');
    try {
      const { status, body } = await uaa.ask({
        method: 'GET',
        path: '/token_keys',
        headers: {
          'Content-Type': 'application/json',
          ...(client !== '' && secret !== '' && { Authorization: `Basic ${basic}` }),
        },
      });
      if (status !== 200) throw new KeysError(`UAA answered ${status}`);
      const first = this.#keys === undefined;
      this.#keys = kept(keysIn(body), this.#keys);
      if (first) log.info({ keys: this.#keys.size }, "UAA's keys are here");
    } catch (error) {
      if (this.#closed.signal.aborted) return;
      if (!(error instanceof KeysError) && !(error instanceof OutgoingError)) throw error;
      failures.add(1);
      const text = 'UAA gave no keys for tokens; those that are known stay';
      log.limited('token-keys', 'warn', { reason: error.message }, text);
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Throws a KeysError. Exported for its test. */
export function keysIn(body: string): ReadonlyMap<string, TokenKey> {
  const listed = objectsIn(fieldsIn(body)?.keys);
  if (listed === undefined) throw new KeysError('what UAA answered is no list of keys');
  if (listed.length > KEYS_MAX) throw new KeysError(`UAA has more than ${KEYS_MAX} keys`);
  const keys = new Map<string, TokenKey>();
  for (const { kid, alg, value } of listed) {
    if (typeof kid !== 'string' || typeof value !== 'string' || value === '') {
      throw new KeysError('a key has no id or no value');
    }
    const key = alg === 'HS256' ? secretKey(value) : publicKey(kid, value);
    if (key === undefined) keys.delete(kid);
    else keys.set(kid, key);
  }
  return keys;
}

/** The new keys; those that are as they were are the very same ones, for what hangs on them. */
function kept(
  keys: ReadonlyMap<string, TokenKey>,
  before: ReadonlyMap<string, TokenKey> | undefined,
): ReadonlyMap<string, TokenKey> {
  const all = [...keys].map(([id, key]): [string, TokenKey] => {
    const old = before?.get(id);
    const stays = old !== undefined && old.algorithm === key.algorithm && old.key.equals(key.key);
    return [id, stays ? old : key];
  });
  return new Map(all);
}

function secretKey(value: string): TokenKey {
  return { algorithm: 'HS256', key: createSecretKey(Buffer.from(value)) };
}

/** Undefined: a key too short for RS256, which is no reason to be without the others. */
function publicKey(id: string, pem: string): TokenKey | undefined {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (error) {
    throw new KeysError(`key ${id} is no public key in PEM`, { cause: error });
  }
  if (key.asymmetricKeyType !== 'rsa') throw new KeysError(`key ${id} is no RSA key`);
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  return bits < RSA_BITS_MIN ? undefined : { algorithm: 'RS256', key };
}
