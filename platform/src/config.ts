/**
 * The settings of the platform.
 *
 *     PLATFORM_ADDR       where it listens; loopback only
 *     PLATFORM_FILE       who and what there is; examples/platform.yml, if not given
 *     PLATFORM_URL        the origin that links and tokens name; what each request asked for, if not given
 *     PLATFORM_KEY_FILE   where its key stays over restarts; a new key at each start, if not given
 */

import { fileURLToPath } from 'node:url';
import {
  Env,
  isLoopback,
  type ObservabilityConfig,
  observabilitySettings,
  parseAddress,
} from '@standpipe/plumbing';

export interface Config {
  /** `host:port`, on loopback. */
  readonly address: string;
  readonly file: string;
  /** `http://host:port` or `https://…`, without a slash at its end; '' for what a request asked for. */
  readonly url: string;
  /** '' for a new key at each start. */
  readonly keyFile: string;
  readonly observability: ObservabilityConfig;
}

/** The file that is used when none is named. */
export const DEFAULT_FILE: string = fileURLToPath(
  new URL('../../examples/platform.yml', import.meta.url),
);

export function readConfig(vars: Readonly<NodeJS.ProcessEnv> = process.env): Config {
  const env = new Env(vars);
  const config: Config = {
    address: env.address('PLATFORM_ADDR', { fallback: '127.0.0.1:9001' }),
    file: env.text('PLATFORM_FILE', { fallback: DEFAULT_FILE }),
    url: originIn(env, 'PLATFORM_URL'),
    keyFile: env.text('PLATFORM_KEY_FILE', { fallback: '' }),
    observability: observabilitySettings(env),
  };
  if (!isLoopback(parseAddress(config.address)?.host ?? '')) {
    env.mistake('PLATFORM_ADDR', 'must be on loopback: this platform is for development');
  }
  env.done();
  return config;
}

function originIn(env: Env, name: string): string {
  const text = env.text(name, { fallback: '' });
  if (text === '') return '';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === '') {
    return url.origin;
  }
  env.mistake(name, 'must be http://HOST:PORT or https://HOST:PORT and nothing after it');
  return '';
}
