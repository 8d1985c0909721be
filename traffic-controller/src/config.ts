/**
 * All that can be set on a Traffic Controller: the settings of Loggregator v107.0.21, and a few
 * that it doesn't have.
 */

import {
  type DnsSettings,
  dnsSettings,
  Env,
  isLoopback,
  type KeyPairFiles,
  type ObservabilityConfig,
  observabilitySettings,
  shardSettings,
  type TlsFiles,
  tlsSettings,
  type Zone,
} from '@standpipe/plumbing';

/** How tokens are judged. */
export interface AccessControl {
  /** TRAFFIC_CONTROLLER_UAA_HOST: `https://` and where UAA answers. */
  readonly uaaUrl: string;
  /** TRAFFIC_CONTROLLER_UAA_CLIENT: who asks UAA. */
  readonly uaaClient: string;
  /** TRAFFIC_CONTROLLER_UAA_CLIENT_SECRET. */
  readonly uaaSecret: string;
  /** TRAFFIC_CONTROLLER_UAA_CA_CERT: the authority of UAA's certificate; '' is the system's. */
  readonly uaaCaFile: string;
  /** TRAFFIC_CONTROLLER_API_HOST: `https://` and where Cloud Controller answers. */
  readonly apiUrl: string;
  /** CC_CA_FILE, CC_CERT_FILE and CC_KEY_FILE: mutual TLS with Cloud Controller. */
  readonly apiTls: TlsFiles | undefined;
  /** CC_SERVER_NAME: the name in Cloud Controller's certificate; '' is its host. */
  readonly apiServerName: string;
  /** TRAFFIC_CONTROLLER_SKIP_CERT_VERIFY: believe any certificate of the two. */
  readonly skipVerify: boolean;
}

export interface Config {
  /**
   * TRAFFIC_CONTROLLER_OUTGOING_HOST and TRAFFIC_CONTROLLER_OUTGOING_DROPSONDE_PORT: where clients
   * connect. The host is every interface if there are a certificate and access control, and must
   * be a loopback address otherwise.
   */
  readonly listenAddress: string;
  /** TRAFFIC_CONTROLLER_OUTGOING_CERT_FILE and _KEY_FILE. Without them the door is plain HTTP. */
  readonly certificate: KeyPairFiles | undefined;
  /** Undefined if TRAFFIC_CONTROLLER_DISABLE_ACCESS_CONTROL is set: everybody may read. */
  readonly accessControl: AccessControl | undefined;
  /** TRAFFIC_CONTROLLER_SYSTEM_DOMAIN: cookies are for `doppler.` and this. */
  readonly systemDomain: string;
  /** TRAFFIC_CONTROLLER_IP: this machine, as the access log names it. */
  readonly ip: string;
  /** TRAFFIC_CONTROLLER_SECURITY_EVENT_LOG: the access log's file; '' is none. */
  readonly accessLogFile: string;
  /** ROUTER_CA_FILE, ROUTER_CERT_FILE, ROUTER_KEY_FILE: towards Dopplers and agent. */
  readonly routerTls: TlsFiles;
  /** DOPPLER_SHARDS, or ROUTER_ADDRS. Every Doppler of every zone is read. */
  readonly zones: readonly Zone[];
  /** How names among them are looked up. */
  readonly dns?: DnsSettings;
  /** AGENT_GRPC_ADDRESS: the agent that is sent its own metrics and events; '' is none. */
  readonly agentAddress: string;
  /** TRAFFIC_CONTROLLER_METRIC_EMITTER_INTERVAL: how often its metrics are sent. */
  readonly metricIntervalMs: number;
  /** QUERY_TIMEOUT: how long a PromQL query may take. */
  readonly queryTimeoutMs: number;
  /** LOG_STREAM_ADDR: the gateway that serves /v2/read; '' is none. */
  readonly logStreamAddress: string;
  /** PLATFORM_ADDR: who serves, at this door, what UAA and Cloud Controller do; '' is nobody. */
  readonly platformAddress: string;
  readonly observability: ObservabilityConfig;
}

const LOOPBACK = '127.0.0.1';
const EVERYWHERE = '0.0.0.0';
const PREFIX = 'TRAFFIC_CONTROLLER';

export function readConfig(vars: Readonly<NodeJS.ProcessEnv> = process.env): Config {
  const env = new Env(vars);
  const open = env.flag(`${PREFIX}_DISABLE_ACCESS_CONTROL`, { fallback: false });
  const certificate = certificateSettings(env);
  const config: Config = {
    listenAddress: listenSettings(env, { open, secure: certificate !== undefined }),
    certificate,
    accessControl: accessSettings(env, open),
    systemDomain: env.text(`${PREFIX}_SYSTEM_DOMAIN`, { fallback: 'localhost' }),
    ip: env.text(`${PREFIX}_IP`, { fallback: LOOPBACK }),
    accessLogFile: env.text(`${PREFIX}_SECURITY_EVENT_LOG`, { fallback: '' }),
    routerTls: tlsSettings(env, {
      ca: 'ROUTER_CA_FILE',
      cert: 'ROUTER_CERT_FILE',
      key: 'ROUTER_KEY_FILE',
    }),
    zones: shardSettings(env),
    dns: dnsSettings(env),
    agentAddress: env.address('AGENT_GRPC_ADDRESS', { fallback: '' }),
    metricIntervalMs: env.duration(`${PREFIX}_METRIC_EMITTER_INTERVAL`, {
      fallback: '1m',
      min: '100ms',
      max: '1h',
    }),
    queryTimeoutMs: env.duration('QUERY_TIMEOUT', { fallback: '10s', min: '10ms', max: '10m' }),
    logStreamAddress: env.address('LOG_STREAM_ADDR', { fallback: '' }),
    platformAddress: env.address('PLATFORM_ADDR', { fallback: '' }),
    observability: observabilitySettings(env, { pprofPort: `${PREFIX}_PPROF_PORT` }),
  };
  env.done();
  return config;
}

/** Whether tokens could be read on the way, or nobody asks for one, decides who may connect. */
function listenSettings(
  env: Env,
  { open, secure }: { readonly open: boolean; readonly secure: boolean },
): string {
  const name = `${PREFIX}_OUTGOING_HOST`;
  const host = env.text(name, { fallback: open || !secure ? LOOPBACK : EVERYWHERE });
  const port = env.count(`${PREFIX}_OUTGOING_DROPSONDE_PORT`, {
    fallback: 8081,
    min: 0,
    max: 65_535,
  });
  if (!isLoopback(host) && open) {
    env.mistake(
      name,
      `is ${host}, but access control is disabled: it must be a loopback address such as ${LOOPBACK}`,
    );
  } else if (!isLoopback(host) && !secure) {
    env.mistake(
      name,
      `is ${host}, but there is no ${PREFIX}_OUTGOING_CERT_FILE: without TLS it must be a loopback address such as ${LOOPBACK}`,
    );
  }
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function certificateSettings(env: Env): KeyPairFiles | undefined {
  const cert = env.optional(`${PREFIX}_OUTGOING_CERT_FILE`);
  const key = env.optional(`${PREFIX}_OUTGOING_KEY_FILE`);
  if (cert !== undefined && key !== undefined) return { cert, key };
  if (cert !== key) {
    const missing = cert === undefined ? 'CERT' : 'KEY';
    env.mistake(`${PREFIX}_OUTGOING_${missing}_FILE`, 'must be set when the other of the two is');
  }
  return undefined;
}

function accessSettings(env: Env, open: boolean): AccessControl | undefined {
  // Asked for in both modes: what is set but not needed is no misspelling.
  const must = open ? { fallback: '' } : {};
  const access: AccessControl = {
    uaaUrl: urlSetting(env, `${PREFIX}_UAA_HOST`, must),
    uaaClient: env.text(`${PREFIX}_UAA_CLIENT`, { fallback: 'doppler' }),
    uaaSecret: env.text(`${PREFIX}_UAA_CLIENT_SECRET`, must),
    uaaCaFile: env.text(`${PREFIX}_UAA_CA_CERT`, { fallback: '' }),
    apiUrl: urlSetting(env, `${PREFIX}_API_HOST`, must),
    apiTls: apiTlsSettings(env),
    apiServerName: env.text('CC_SERVER_NAME', { fallback: '' }),
    skipVerify: env.flag(`${PREFIX}_SKIP_CERT_VERIFY`, { fallback: false }),
  };
  return open ? undefined : access;
}

function urlSetting(env: Env, name: string, options: { readonly fallback?: string }): string {
  const value = env.text(name, options);
  if (value !== '' && !/^https?:\/\/[^/?#]+\/?$/.test(value)) {
    env.mistake(name, 'must be http:// or https://, a host and a port');
  }
  return value;
}

function apiTlsSettings(env: Env): TlsFiles | undefined {
  const ca = env.optional('CC_CA_FILE');
  const cert = env.optional('CC_CERT_FILE');
  const key = env.optional('CC_KEY_FILE');
  if (ca !== undefined && cert !== undefined && key !== undefined) return { ca, cert, key };
  if (ca !== undefined || cert !== undefined || key !== undefined) {
    env.mistake('CC_CA_FILE', 'must be set together with CC_CERT_FILE and CC_KEY_FILE');
  }
  return undefined;
}
