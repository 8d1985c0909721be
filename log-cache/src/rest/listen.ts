/**
 * The REST API as a port of its own: that of a Doppler, or of a gateway that stands alone.
 *
 *     request ──▶ access log ──▶ guard, if tokens are asked for ──▶ routes ──▶ reader
 */

import {
  AccessLog,
  type HttpListener,
  koaApp,
  type Log,
  listenHttp,
  type Metrics,
  readKeyPair,
} from '@standpipe/plumbing';
import { accessBySettings } from '../access/access.ts';
import type { Querier } from '../promql/querier.ts';
import type { Reader } from '../reader.ts';
import type { Tails } from '../tail/tail.ts';
import { logCacheNotFound, logCacheRoutes } from './routes.ts';
import type { RestSettings } from './settings.ts';

/** How the access log names what is asked. */
const PRODUCT = 'log_cache';

export interface RestOptions {
  readonly reader: Reader;
  readonly tails?: Tails | undefined;
  readonly querier?: Querier | undefined;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Listens; what it opened besides goes when the listener does. */
export async function listenRest(
  { address, certificate, access: accessSettings, securityLog }: RestSettings,
  { reader, tails, querier, log, metrics }: RestOptions,
): Promise<HttpListener> {
  const opened: AsyncDisposable[] = [];
  const closeAll = async (): Promise<void> => {
    for (const one of opened.toReversed()) await one[Symbol.asyncDispose]();
  };
  try {
    const app = koaApp(log, metrics);
    if (securityLog.file !== '') {
      const accessLog = await AccessLog.open({ ...securityLog, product: PRODUCT, log, metrics });
      opened.push(accessLog);
      app.use((ctx, next) => {
        accessLog.write(ctx.req, Date.now());
        return next();
      });
    }
    const access = accessSettings && accessBySettings(accessSettings, { log, metrics });
    if (access) opened.push(access);
    const metaDialect = access ? 'auth-proxy' : 'gateway';
    const routes = logCacheRoutes(reader, { tails, querier, metaDialect, metrics });
    app.use(access?.guard.before(routes) ?? routes).use(logCacheNotFound());
    const listener = await listenHttp({
      address,
      tls: certificate && readKeyPair(certificate, { log, metrics }),
      http2: true,
      app,
      log,
      metrics,
    });
    opened.push(listener);
    return { ...listener, [Symbol.asyncDispose]: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}
