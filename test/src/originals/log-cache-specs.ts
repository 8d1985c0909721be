/**
 * Log Cache's processes as a deployment of log-cache-release v3.2.0 starts them: with its settings
 * and no others.
 *
 *     a test ─▶ node 0 ══ node 1        a test ─▶ gateway ─▶ node 0
 */

import { fileURLToPath } from 'node:url';
import type { ProcessSpec } from '../process.ts';

export interface LogCacheDeployment {
  /** The folder with ca.crt and each process's certificate and key. */
  readonly certificates: string;
  /** `host:port` of each node, in the order that all are told. */
  readonly nodes: readonly string[];
}

/** The original's `log-cache`. */
export function node({ certificates, nodes }: LogCacheDeployment, index: number): ProcessSpec {
  return {
    name: `log-cache ${index}`,
    sourceId: 'log-cache',
    command: [script('log-cache/dist/main.js')],
    env: {
      ADDR: nodes[index] ?? '',
      QUERY_TIMEOUT: '10s',
      MEMORY_LIMIT_PERCENT: '1',
      MAX_PER_SOURCE: '1000',
      TRUNCATION_INTERVAL: '1s',
      PRUNES_PER_GC: '3',
      NODE_INDEX: String(index),
      NODE_ADDRS: nodes.join(','),
      ...internal(certificates, 'doppler'), // Whose certificate has the name log-cache as well.
      ...metrics(certificates, 'doppler'),
      DEBUG_METRICS: 'false',
      PPROF_PORT: '0',
      USE_RFC339: 'false',
    },
    listeners: ['grpc', 'metrics'],
  };
}

/** The original's `log-cache-gateway`; with authorities, also its `log-cache-cf-auth-proxy`. */
export function logCacheGateway(
  { certificates, nodes }: LogCacheDeployment,
  platformUrl?: string,
): ProcessSpec {
  return {
    name: 'log-cache-gateway',
    sourceId: 'log-cache-gateway',
    command: [script('log-cache/dist/gateway/main.js')],
    env: {
      ADDR: '127.0.0.1:0',
      LOG_CACHE_ADDR: nodes[0] ?? '',
      PROXY_CERT_PATH: `${certificates}/gateway.crt`,
      PROXY_KEY_PATH: `${certificates}/gateway.key`,
      ...internal(certificates, 'gateway'),
      ...metrics(certificates, 'gateway'),
      USE_RFC339: 'false',
      ...(platformUrl !== undefined && {
        INTERNAL_IP: '127.0.0.1',
        SKIP_CERT_VERIFY: 'false',
        PROMQL_UNIMPLEMENTED: 'false',
        TOKEN_PRUNING_INTERVAL: '1m',
        CACHE_EXPIRATION_INTERVAL: '1m',
        CAPI_ADDR: platformUrl,
        CAPI_COMMON_NAME: 'cloud-controller-ng.service.cf.internal',
        UAA_ADDR: platformUrl,
        UAA_CLIENT_ID: 'doppler',
        UAA_CLIENT_SECRET: 'doppler',
      }),
    },
    listeners: ['http', 'metrics'],
  };
}

/** A stand-in for UAA and Cloud Controller. */
export function platform(keyFile: string, address = '127.0.0.1:0'): ProcessSpec {
  return {
    name: 'platform',
    sourceId: 'platform',
    command: [script('platform/dist/main.js')],
    env: { PLATFORM_ADDR: address, PLATFORM_KEY_FILE: keyFile, METRICS_PORT: '0' },
    listeners: ['http', 'metrics'],
  };
}

function internal(certificates: string, name: string): Record<string, string> {
  return {
    CA_PATH: `${certificates}/ca.crt`,
    CERT_PATH: `${certificates}/${name}.crt`,
    KEY_PATH: `${certificates}/${name}.key`,
  };
}

function metrics(certificates: string, name: string): Record<string, string> {
  return {
    METRICS_PORT: '0',
    METRICS_CA_FILE_PATH: `${certificates}/ca.crt`,
    METRICS_CERT_FILE_PATH: `${certificates}/${name}.crt`,
    METRICS_KEY_FILE_PATH: `${certificates}/${name}.key`,
  };
}

function script(path: string): string {
  return fileURLToPath(new URL(`../../../${path}`, import.meta.url));
}
