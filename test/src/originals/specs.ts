/**
 * Our processes as a deployment of the originals starts them: with the settings of Loggregator
 * v107.0.21 and no others, on ports that they choose and tell on stderr.
 *
 *     a test ─▶ router ─┬─▶ trafficcontroller ─▶ websockets            ─▶ UAA, Cloud Controller
 *                       └─▶ rlp ─▶ rlp-gateway ─▶ server-sent events   ─▶ UAA, Cloud Controller
 *
 * Whoever is to connect to one reads its `bound to:` lines, as the original's own harness does.
 */

import { fileURLToPath } from 'node:url';
import type { ProcessSpec } from '../process.ts';

export interface OriginalsOptions {
  /** The folder with ca.crt and each process's certificate and key. */
  readonly certificates: string;
  /** `host:port` of the agent that self metrics go to. */
  readonly agent: string;
}

/** Where the originals ask whose token it is, and what it may read. */
export interface Authorities {
  /** URLs: of UAA, and of Cloud Controller by mutual TLS and as everybody reaches it. */
  readonly uaa: string;
  readonly cloudController: string;
  readonly cloudControllerExternal: string;
  /** As whom UAA is asked. */
  readonly client: string;
  readonly secret: string;
}

/** The name in Cloud Controller's certificate. */
export const CLOUD_CONTROLLER = 'cloud-controller-ng.service.cf.internal';

/** The original's `router`, as the job `doppler` starts it. */
export function router({ certificates, agent }: OriginalsOptions): ProcessSpec {
  return {
    name: 'router',
    sourceId: 'doppler',
    command: [script('doppler/dist/main.js')],
    env: {
      ROUTER_PORT: '0',
      ROUTER_CA_FILE: `${certificates}/ca.crt`,
      ROUTER_CERT_FILE: `${certificates}/doppler.crt`,
      ROUTER_KEY_FILE: `${certificates}/doppler.key`,
      ROUTER_CIPHER_SUITES:
        'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384',
      INGRESS_BUFFER_SIZE: '10000',
      EGRESS_BUFFER_SIZE: '1000',
      ROUTER_PPROF_PORT: '0',
      AGENT_GRPC_ADDRESS: agent,
      ROUTER_METRIC_BATCH_INTERVAL_MILLISECONDS: '200',
      ROUTER_METRIC_SOURCE_ID: 'doppler',
      USE_RFC339: 'false',
    },
    listeners: ['grpc', 'pprof'],
  };
}

/** The original's `trafficcontroller`. Without authorities its access control is off. */
export function trafficController(
  { certificates, agent }: OriginalsOptions,
  routers: readonly string[],
  authorities?: Authorities,
): ProcessSpec {
  return {
    name: 'trafficcontroller',
    sourceId: 'traffic_controller',
    command: [script('traffic-controller/dist/main.js')],
    env: {
      TRAFFIC_CONTROLLER_IP: '127.0.0.1',
      TRAFFIC_CONTROLLER_SYSTEM_DOMAIN: 'example.com',
      TRAFFIC_CONTROLLER_API_HOST: authorities?.cloudController ?? 'https://127.0.0.1:1',
      TRAFFIC_CONTROLLER_OUTGOING_DROPSONDE_PORT: '0',
      TRAFFIC_CONTROLLER_OUTGOING_CERT_FILE: `${certificates}/trafficcontroller.crt`,
      TRAFFIC_CONTROLLER_OUTGOING_KEY_FILE: `${certificates}/trafficcontroller.key`,
      TRAFFIC_CONTROLLER_SKIP_CERT_VERIFY: 'false',
      TRAFFIC_CONTROLLER_UAA_HOST: authorities?.uaa ?? 'https://127.0.0.1:1',
      TRAFFIC_CONTROLLER_UAA_CLIENT: authorities?.client ?? 'doppler',
      TRAFFIC_CONTROLLER_UAA_CLIENT_SECRET: authorities?.secret ?? 'secret',
      TRAFFIC_CONTROLLER_UAA_CA_CERT: `${certificates}/ca.crt`,
      TRAFFIC_CONTROLLER_PPROF_PORT: '0',
      TRAFFIC_CONTROLLER_METRIC_EMITTER_INTERVAL: '200ms',
      TRAFFIC_CONTROLLER_DISABLE_ACCESS_CONTROL: String(authorities === undefined),
      ROUTER_ADDRS: routers.join(','),
      ROUTER_CA_FILE: `${certificates}/ca.crt`,
      ROUTER_CERT_FILE: `${certificates}/trafficcontroller.crt`,
      ROUTER_KEY_FILE: `${certificates}/trafficcontroller.key`,
      CC_CA_FILE: `${certificates}/ca.crt`,
      CC_CERT_FILE: `${certificates}/trafficcontroller.crt`,
      CC_KEY_FILE: `${certificates}/trafficcontroller.key`,
      CC_SERVER_NAME: CLOUD_CONTROLLER,
      AGENT_GRPC_ADDRESS: agent,
      USE_RFC339: 'false',
    },
    listeners: ['ws', 'pprof'],
  };
}

/** The original's `rlp`, as the job `reverse_log_proxy` starts it. */
export function rlp(
  { certificates, agent }: OriginalsOptions,
  routers: readonly string[],
): ProcessSpec {
  return {
    name: 'rlp',
    sourceId: 'reverse_log_proxy',
    command: [script('reverse-log-proxy/dist/main.js')],
    env: {
      RLP_PORT: '0',
      MAX_EGRESS_STREAMS: '1000',
      ROUTER_ADDRS: routers.join(','),
      RLP_CA_FILE: `${certificates}/ca.crt`,
      RLP_CERT_FILE: `${certificates}/reverselogproxy.crt`,
      RLP_KEY_FILE: `${certificates}/reverselogproxy.key`,
      RLP_CIPHER_SUITES: 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384',
      RLP_PPROF_PORT: '0',
      RLP_METRIC_EMITTER_INTERVAL: '200ms',
      RLP_METRIC_SOURCE_ID: 'reverse_log_proxy',
      AGENT_ADDR: agent,
      USE_RFC339: 'false',
    },
    listeners: ['grpc', 'pprof'],
  };
}

/** The original's `rlp-gateway`. Its access control can't be switched off. */
export function gateway(
  { certificates }: OriginalsOptions,
  logsProvider: string,
  authorities: Authorities,
): ProcessSpec {
  return {
    name: 'rlp-gateway',
    sourceId: 'reverse_log_proxy_gateway',
    command: [script('reverse-log-proxy/dist/gateway/main.js')],
    env: {
      GATEWAY_ADDR: '127.0.0.1:0',
      HTTP_CERT_PATH: `${certificates}/gateway.crt`,
      HTTP_KEY_PATH: `${certificates}/gateway.key`,
      LOGS_PROVIDER_ADDR: logsProvider,
      LOGS_PROVIDER_CA_PATH: `${certificates}/ca.crt`,
      LOGS_PROVIDER_CLIENT_CERT_PATH: `${certificates}/gateway.crt`,
      LOGS_PROVIDER_CLIENT_KEY_PATH: `${certificates}/gateway.key`,
      LOGS_PROVIDER_COMMON_NAME: 'reverselogproxy',
      LOG_ACCESS_ADDR: authorities.cloudController,
      LOG_ACCESS_ADDR_EXTERNAL: authorities.cloudControllerExternal,
      LOG_ACCESS_CA_PATH: `${certificates}/ca.crt`,
      LOG_ACCESS_CERT_PATH: `${certificates}/gateway.crt`,
      LOG_ACCESS_KEY_PATH: `${certificates}/gateway.key`,
      LOG_ACCESS_COMMON_NAME: CLOUD_CONTROLLER,
      LOG_ADMIN_ADDR: authorities.uaa,
      LOG_ADMIN_CLIENT_ID: authorities.client,
      LOG_ADMIN_CLIENT_SECRET: authorities.secret,
      LOG_ADMIN_CA_PATH: `${certificates}/ca.crt`,
      SKIP_CERT_VERIFY: 'false',
      STREAM_TIMEOUT: '14m',
      PPROF_PORT: '0',
      METRICS_PORT: '0',
      METRICS_CA_FILE_PATH: `${certificates}/ca.crt`,
      METRICS_CERT_FILE_PATH: `${certificates}/gateway.crt`,
      METRICS_KEY_FILE_PATH: `${certificates}/gateway.key`,
    },
    listeners: ['http', 'pprof', 'metrics'],
  };
}

/** What stands in for UAA and Cloud Controller. It has no original. */
export function platform(file: string): ProcessSpec {
  return {
    name: 'platform',
    sourceId: 'platform',
    command: [script('platform/dist/main.js')],
    env: { PLATFORM_ADDR: '127.0.0.1:0', PLATFORM_FILE: file },
    listeners: ['http'],
  };
}

function script(path: string): string {
  return fileURLToPath(new URL(`../../../${path}`, import.meta.url));
}
