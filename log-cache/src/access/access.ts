/**
 * Access to a log cache, as one thing that is opened with a process and closed with it: UAA's keys,
 * what Cloud Controller said, and the guard that stands before the routes.
 */

import {
  type Clock,
  type Log,
  type Metrics,
  Outgoing,
  readAuthorities,
  systemClock,
} from '@standpipe/plumbing';
import { accessEvictions, tokenKeyFailures } from './access-metrics.ts';
import { CloudController } from './cloud-controller.ts';
import { Guard } from './guard.ts';
import { Permissions } from './permissions.ts';
import type { AccessSettings } from './settings.ts';
import { TokenKeys } from './token-keys.ts';
import { Tokens } from './tokens.ts';

/** The longest answer of Cloud Controller that is read: 5,000 apps take a third of it. */
export const CLOUD_CONTROLLER_BYTES_MAX: number = 32 * 1024 * 1024;

/** How long a yes of Cloud Controller's is kept, if nobody says otherwise. */
export const ALLOWED_MS_DEFAULT = 60_000;

export interface LogCacheAccessOptions {
  /** Where UAA answers; the caller disposes of it afterwards, and of the other. */
  readonly uaa: Outgoing;
  readonly uaaClient: string;
  readonly uaaSecret: string;
  readonly cloudController: Outgoing;
  readonly allowedMs?: number;
  readonly takesCookies?: boolean;
  readonly promQlUnimplemented?: boolean;
  readonly clock?: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface LogCacheAccess extends AsyncDisposable {
  readonly guard: Guard;
}

export function openLogCacheAccess(options: LogCacheAccessOptions): LogCacheAccess {
  const { uaa, uaaClient: client, uaaSecret: secret, log, metrics } = options;
  const clock = options.clock ?? systemClock;
  const keys = new TokenKeys({
    uaa,
    client,
    secret,
    clock,
    log,
    failures: tokenKeyFailures(metrics),
  });
  const tokens = new Tokens({ keys, clock, evictions: accessEvictions(metrics, 'tokens') });
  const cloudController = new CloudController({
    api: options.cloudController,
    clock,
    log,
    metrics,
  });
  const permissions = new Permissions({
    cloudController,
    clock,
    metrics,
    keptMs: options.allowedMs ?? ALLOWED_MS_DEFAULT,
  });
  const guard = new Guard({
    tokens,
    permissions,
    metrics,
    takesCookies: options.takesCookies ?? false,
    promQlUnimplemented: options.promQlUnimplemented ?? false,
  });
  return { guard, [Symbol.asyncDispose]: () => keys[Symbol.asyncDispose]() };
}

/** Opens it by settings. */
export function accessBySettings(
  settings: AccessSettings,
  { log, metrics }: { readonly log: Log; readonly metrics: Metrics },
): LogCacheAccess {
  const { skipVerify, uaaCaFile, capiCaFile, capiServerName } = settings;
  const authorities = (file: string) =>
    file === '' ? undefined : readAuthorities(file, { log, metrics });
  const uaa = new Outgoing({ url: settings.uaaUrl, skipVerify, tls: authorities(uaaCaFile) });
  const cloudController = new Outgoing({
    url: settings.capiUrl,
    skipVerify,
    serverName: capiServerName,
    tls: authorities(capiCaFile),
    maxBytes: CLOUD_CONTROLLER_BYTES_MAX,
  });
  const { uaaClient, uaaSecret, allowedMs, promQlUnimplemented } = settings;
  const given = { uaa, cloudController, uaaClient, uaaSecret, allowedMs, promQlUnimplemented };
  const access = openLogCacheAccess({ ...given, log, metrics });
  return {
    guard: access.guard,
    async [Symbol.asyncDispose](): Promise<void> {
      await access[Symbol.asyncDispose]();
      uaa[Symbol.dispose]();
      cloudController[Symbol.dispose]();
    },
  };
}
