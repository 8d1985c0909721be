/**
 * All that can be set on a gateway: the names of log-cache-release v3.2.0's gateway and, for one that
 * asks for tokens, of its cf-auth-proxy, whose part it then plays as well.
 */

import { Env, type ObservabilityConfig, type TlsFiles } from '@standpipe/plumbing';
import { ACCESS_UNUSED } from '../access/settings.ts';
import {
  internalTlsSettings,
  metricsSettings,
  type NearAddress,
  nearUnlessSecure,
} from '../process-settings.ts';
import { type RestSettings, restSettings } from '../rest/settings.ts';

export interface GatewayConfig extends Pick<NearAddress, 'askedAddress'> {
  /** ADDR, PROXY_CERT_PATH and _KEY_PATH or EXTERNAL_CERT and _KEY; UAA_ADDR, CAPI_ADDR, … */
  readonly rest: RestSettings;
  /** LOG_CACHE_ADDR: the node that is asked. */
  readonly logCacheAddress: string;
  /** QUERY_TIMEOUT: how long a PromQL query may take. */
  readonly queryTimeoutMs: number;
  /** CA_PATH, CERT_PATH, KEY_PATH: mutual TLS towards it; undefined is none. */
  readonly tls: TlsFiles | undefined;
  readonly observability: ObservabilityConfig;
}

/** There is no gateway behind this one, so nothing is said of it. */
const UNUSED: readonly string[] = [
  'LOG_CACHE_GATEWAY_ADDR',
  'PROXY_CA_PATH',
  'USE_RFC339',
  ...ACCESS_UNUSED,
];

export function readConfig(vars: Readonly<NodeJS.ProcessEnv> = process.env): GatewayConfig {
  const env = new Env(vars, { exempt: UNUSED });
  const rest = restSettings(env, {
    address: 'ADDR',
    certificates: [
      { cert: 'PROXY_CERT_PATH', key: 'PROXY_KEY_PATH' },
      { cert: 'EXTERNAL_CERT', key: 'EXTERNAL_KEY' },
    ],
    required: true,
    openToOthers: true,
  });
  const near = nearUnlessSecure(rest.address, rest.certificate !== undefined);
  const config: GatewayConfig = {
    ...(near.askedAddress !== undefined && { askedAddress: near.askedAddress }),
    rest: { ...rest, address: near.address },
    logCacheAddress: env.address('LOG_CACHE_ADDR', {}),
    queryTimeoutMs: env.duration('QUERY_TIMEOUT', { fallback: '10s', min: '10ms', max: '10m' }),
    tls: internalTlsSettings(env),
    observability: metricsSettings(env, { port: 6063 }),
  };
  env.done();
  return config;
}
