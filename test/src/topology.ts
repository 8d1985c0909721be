/**
 * Which processes make up a pipeline, and what each is told: a function of the options alone.
 *
 *     zone az1                              zone az2
 *     executor ─▶ metron ─▶ doppler az1/0   doppler az2/0 ◀─ metron ◀─ executor
 *     statsd-injector ─▶ metron az1           │
 *                            └───────┬────────┘
 *              traffic-controller · reverse-log-proxy ─▶ rlp-gateway, syslog-adapter
 *
 * The Doppler, the traffic controller and the reverse log proxy send their own metrics to an agent,
 * as the original does; the others to the statsd injector.
 */

import { fileURLToPath } from 'node:url';
import type { PortOf } from './ports.ts';
import type { ProcessSpec } from './process.ts';

export interface TopologyOptions {
  /** How many Dopplers each zone has. */
  readonly zones: Readonly<Record<string, number>>;
  readonly portOf: PortOf;
  /** The folder with ca.crt and each process's certificate and key. */
  readonly certificates: string;
  /** The executors' app file; without one there are no executors. */
  readonly appsFile?: string;
  /** The syslog adapter's bindings; without them there is no adapter. */
  readonly bindingsFile?: string;
  /** With it, tokens are asked for at the public doors, and those speak TLS. */
  readonly secure?: { readonly platformFile: string };
  /** Below it each Doppler keeps its cache; without it, only as long as it runs. */
  readonly dataFolder?: string;
  /** More settings for every process. */
  readonly env?: Readonly<Record<string, string>>;
  /** More settings for the processes of one kind, by source id. */
  readonly envOf?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** The names that the certificates must have, and the servers' further ones. */
export const CERTIFICATES: readonly { readonly name: string; readonly dns: readonly string[] }[] = [
  { name: 'doppler', dns: ['log-cache'] },
  { name: 'metron', dns: [] },
  { name: 'statsdinjector', dns: [] },
  { name: 'executor', dns: [] },
  { name: 'trafficcontroller', dns: [] },
  { name: 'reverselogproxy', dns: [] },
  { name: 'gateway', dns: [] },
  { name: 'syslogadapter', dns: [] },
];

/** The cache's memory in large pages: docs/operating.md. Where there is no glibc it has no effect. */
const LARGE_PAGES = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' };

/** The client with which our doors ask the platform about tokens (examples/platform.yml). */
const TOKEN_CHECKER = { client: 'doppler', secret: 'doppler' };

/** The names of all listeners that need a port of their own. */
export function listenersOf(zones: Readonly<Record<string, number>>): string[] {
  const perZone = Object.entries(zones).flatMap(([zone, dopplers]) => [
    `metron ${zone}`,
    ...Array.from({ length: dopplers }, (_, index) => [
      `doppler ${zone}/${index}`,
      `log-cache ${zone}/${index}`,
    ]).flat(),
  ]);
  return [
    ...perZone,
    'dropsonde',
    'statsd-injector',
    'traffic-controller',
    'reverse-log-proxy',
    'rlp-gateway',
    'platform',
  ];
}

/** Every process of the pipeline, in the order in which the screen names them. */
export function topology(options: TopologyOptions): ProcessSpec[] {
  const zones = Object.keys(options.zones);
  const [firstZone] = zones;
  if (firstZone === undefined) throw new Error('a pipeline needs at least one zone');
  const specs = [
    ...zones.map((zone) => metron(options, zone, zone === firstZone)),
    statsdInjector(options, firstZone),
    ...zones.flatMap((zone) =>
      Array.from({ length: options.zones[zone] ?? 0 }, (_, index) => doppler(options, zone, index)),
    ),
    ...(options.secure ? [platform(options, options.secure.platformFile)] : []),
    trafficController(options),
    reverseLogProxy(options),
    gateway(options),
    ...(options.bindingsFile ? [syslogAdapter(options, options.bindingsFile, firstZone)] : []),
    ...zones
      .map((zone, cell) => executor(options, zone, cell))
      .filter((spec) => spec !== undefined),
  ];
  return specs.map((spec) => ({
    ...spec,
    env: { ...common(options), ...spec.env, ...options.env, ...options.envOf?.[spec.sourceId] },
  }));
}

function common({ portOf }: TopologyOptions): Record<string, string> {
  return { METRICS_PORT: '0', STATSD_ADDRESS: `127.0.0.1:${portOf('statsd-injector')}` };
}

/** Its own metrics go to the agent of this zone, and not through statsd as well. */
function toAgent(
  { zones, portOf }: TopologyOptions,
  setting: string,
  zone: string = Object.keys(zones)[0] ?? '',
): Record<string, string> {
  return { STATSD_ADDRESS: '', [setting]: `127.0.0.1:${portOf(`metron ${zone}`)}` };
}

/** The first zone's agent takes v1 over UDP as well; on one machine there is one such port. */
function metron(options: TopologyOptions, zone: string, isFirst: boolean): ProcessSpec {
  return {
    name: `metron ${zone}`,
    sourceId: 'metron',
    command: [script('agents/dist/metron/main.js')],
    env: {
      AGENT_PORT: String(options.portOf(`metron ${zone}`)),
      AGENT_ZONE: zone,
      ...(isFirst ? { AGENT_INCOMING_UDP_PORT: String(options.portOf('dropsonde')) } : {}),
      AGENT_TAGS: `deployment:standpipe,job:metron,index:${zone},ip:127.0.0.1`,
      DOPPLER_SHARDS: shards(options),
      ...tls(options, 'metron', {
        ca: 'AGENT_CA_FILE',
        cert: 'AGENT_CERT_FILE',
        key: 'AGENT_KEY_FILE',
      }),
    },
    listeners: ['grpc', ...(isFirst ? ['udp'] : []), 'metrics'],
  };
}

function statsdInjector(options: TopologyOptions, zone: string): ProcessSpec {
  const { portOf, certificates } = options;
  const flags = {
    'statsd-host': '127.0.0.1',
    'statsd-port': String(portOf('statsd-injector')),
    'metron-port': String(portOf(`metron ${zone}`)),
    ca: `${certificates}/ca.crt`,
    cert: `${certificates}/statsdinjector.crt`,
    key: `${certificates}/statsdinjector.key`,
  };
  return {
    name: 'statsd-injector',
    sourceId: 'statsd_injector',
    command: [
      script('agents/dist/statsd-injector/main.js'),
      ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]),
    ],
    env: {},
    listeners: ['udp', 'metrics'],
  };
}

function doppler(options: TopologyOptions, zone: string, index: number): ProcessSpec {
  return {
    name: `doppler ${zone}/${index}`,
    sourceId: 'doppler',
    command: [script('doppler/dist/main.js')],
    env: {
      ...LARGE_PAGES,
      ROUTER_HOST: '127.0.0.1',
      ROUTER_PORT: String(options.portOf(`doppler ${zone}/${index}`)),
      LOG_CACHE_HTTP_ADDR: `127.0.0.1:${options.portOf(`log-cache ${zone}/${index}`)}`,
      ...(options.secure ? securedCache(options) : {}),
      DOPPLER_SHARDS: shards(options),
      ...toAgent(options, 'AGENT_GRPC_ADDRESS', zone),
      DOPPLER_ZONE: zone,
      NODE_INDEX: String(index),
      ...(options.dataFolder === undefined
        ? {}
        : {
            LOG_CACHE_DATA_DIR: `${options.dataFolder}/log-cache-${zone}-${index}`,
            LOG_CACHE_JOURNAL: 'true',
          }),
      INGRESS_BUFFER_SIZE: '10000',
      EGRESS_BUFFER_SIZE: '10000',
      ...tls(options, 'doppler', {
        ca: 'ROUTER_CA_FILE',
        cert: 'ROUTER_CERT_FILE',
        key: 'ROUTER_KEY_FILE',
      }),
    },
    listeners: ['grpc', 'http', 'metrics'],
  };
}

function trafficController(options: TopologyOptions): ProcessSpec {
  const { portOf } = options;
  return {
    name: 'traffic-controller',
    sourceId: 'traffic_controller',
    command: [script('traffic-controller/dist/main.js')],
    env: {
      TRAFFIC_CONTROLLER_OUTGOING_DROPSONDE_PORT: String(portOf('traffic-controller')),
      LOG_STREAM_ADDR: `127.0.0.1:${portOf('rlp-gateway')}`,
      ...(options.secure
        ? securedController(options)
        : { TRAFFIC_CONTROLLER_DISABLE_ACCESS_CONTROL: 'true' }),
      ...toAgent(options, 'AGENT_GRPC_ADDRESS'),
      TRAFFIC_CONTROLLER_METRIC_EMITTER_INTERVAL: '5s',
      DOPPLER_SHARDS: shards(options),
      ...tls(options, 'trafficcontroller', {
        ca: 'ROUTER_CA_FILE',
        cert: 'ROUTER_CERT_FILE',
        key: 'ROUTER_KEY_FILE',
      }),
    },
    listeners: ['ws', 'metrics'],
  };
}

/** UAA and Cloud Controller, as far as log clients know them; the front door leads there. */
function platform(options: TopologyOptions, file: string): ProcessSpec {
  const { portOf, certificates } = options;
  return {
    name: 'platform',
    sourceId: 'platform',
    command: [script('platform/dist/main.js')],
    env: {
      PLATFORM_ADDR: `127.0.0.1:${portOf('platform')}`,
      PLATFORM_FILE: file,
      PLATFORM_KEY_FILE: `${certificates}/platform-tokens.key`,
      PLATFORM_URL: `https://127.0.0.1:${portOf('traffic-controller')}`,
    },
    listeners: ['http', 'metrics'],
  };
}

function securedController({ portOf, certificates }: TopologyOptions): Record<string, string> {
  const url = `http://127.0.0.1:${portOf('platform')}`;
  return {
    TRAFFIC_CONTROLLER_OUTGOING_CERT_FILE: `${certificates}/trafficcontroller.crt`,
    TRAFFIC_CONTROLLER_OUTGOING_KEY_FILE: `${certificates}/trafficcontroller.key`,
    TRAFFIC_CONTROLLER_OUTGOING_HOST: '127.0.0.1',
    TRAFFIC_CONTROLLER_UAA_HOST: url,
    TRAFFIC_CONTROLLER_UAA_CLIENT: TOKEN_CHECKER.client,
    TRAFFIC_CONTROLLER_UAA_CLIENT_SECRET: TOKEN_CHECKER.secret,
    TRAFFIC_CONTROLLER_API_HOST: url,
    PLATFORM_ADDR: `127.0.0.1:${portOf('platform')}`,
  };
}

/** The settings of the original's log-cache-cf-auth-proxy. */
function securedCache({ portOf, certificates }: TopologyOptions): Record<string, string> {
  const url = `http://127.0.0.1:${portOf('platform')}`;
  return {
    UAA_ADDR: url,
    CAPI_ADDR: url,
    EXTERNAL_CERT: `${certificates}/doppler.crt`,
    EXTERNAL_KEY: `${certificates}/doppler.key`,
  };
}

function securedGateway({ portOf }: TopologyOptions): Record<string, string> {
  const url = `http://127.0.0.1:${portOf('platform')}`;
  return {
    LOG_ADMIN_ADDR: url,
    LOG_ADMIN_CLIENT_ID: TOKEN_CHECKER.client,
    LOG_ADMIN_CLIENT_SECRET: TOKEN_CHECKER.secret,
    LOG_ACCESS_ADDR: url,
    LOG_ACCESS_ADDR_EXTERNAL: url,
  };
}

function reverseLogProxy(options: TopologyOptions): ProcessSpec {
  return {
    name: 'reverse-log-proxy',
    sourceId: 'reverse_log_proxy',
    command: [script('reverse-log-proxy/dist/main.js')],
    env: {
      RLP_HOST: '127.0.0.1',
      RLP_PORT: String(options.portOf('reverse-log-proxy')),
      RLP_PPROF_PORT: '0',
      ...toAgent(options, 'AGENT_ADDR'),
      RLP_METRIC_EMITTER_INTERVAL: '5s',
      DOPPLER_SHARDS: shards(options),
      ...tls(options, 'reverselogproxy', {
        ca: 'RLP_CA_FILE',
        cert: 'RLP_CERT_FILE',
        key: 'RLP_KEY_FILE',
      }),
    },
    listeners: ['grpc', 'metrics'],
  };
}

function gateway(options: TopologyOptions): ProcessSpec {
  const { portOf } = options;
  return {
    name: 'rlp-gateway',
    sourceId: 'reverse_log_proxy_gateway',
    command: [script('reverse-log-proxy/dist/gateway/main.js')],
    env: {
      GATEWAY_ADDR: `127.0.0.1:${portOf('rlp-gateway')}`,
      LOGS_PROVIDER_ADDR: `127.0.0.1:${portOf('reverse-log-proxy')}`,
      ...(options.secure ? securedGateway(options) : {}),
      ...tls(options, 'gateway', {
        ca: 'LOGS_PROVIDER_CA_PATH',
        cert: 'LOGS_PROVIDER_CLIENT_CERT_PATH',
        key: 'LOGS_PROVIDER_CLIENT_KEY_PATH',
      }),
    },
    listeners: ['http', 'metrics'],
  };
}

function syslogAdapter(options: TopologyOptions, bindingsFile: string, zone: string): ProcessSpec {
  const { portOf } = options;
  return {
    name: 'syslog-adapter',
    sourceId: 'syslog_adapter',
    command: [script('syslog-adapter/dist/main.js')],
    env: {
      RLP_ADDRESS: `127.0.0.1:${portOf('reverse-log-proxy')}`,
      AGENT_ADDRESS: `127.0.0.1:${portOf(`metron ${zone}`)}`,
      BINDINGS_FILE: bindingsFile,
      ...tls(options, 'syslogadapter', {
        ca: 'ADAPTER_CA_FILE',
        cert: 'ADAPTER_CERT_FILE',
        key: 'ADAPTER_KEY_FILE',
      }),
    },
    listeners: ['metrics'],
  };
}

function executor(options: TopologyOptions, zone: string, cell: number): ProcessSpec | undefined {
  if (options.appsFile === undefined) return undefined;
  return {
    name: `executor ${zone}`,
    sourceId: 'executor',
    command: [script('agents/dist/executor/main.js')],
    env: {
      EXECUTOR_APPS_FILE: options.appsFile,
      EXECUTOR_CELL_INDEX: String(cell),
      EXECUTOR_CELL_COUNT: String(Object.keys(options.zones).length),
      AGENT_ADDRESS: `127.0.0.1:${options.portOf(`metron ${zone}`)}`,
      ...tls(options, 'executor', {
        ca: 'EXECUTOR_CA_FILE',
        cert: 'EXECUTOR_CERT_FILE',
        key: 'EXECUTOR_KEY_FILE',
      }),
    },
    listeners: ['metrics'],
  };
}

/** Every Doppler by zone, as the processes are told: `az1=HOST:PORT,…;az2=…`. */
export function shards({ zones, portOf }: Pick<TopologyOptions, 'zones' | 'portOf'>): string {
  return Object.entries(zones)
    .map(([zone, dopplers]) => {
      const addresses = Array.from(
        { length: dopplers },
        (_, index) => `127.0.0.1:${portOf(`doppler ${zone}/${index}`)}`,
      );
      return `${zone}=${addresses.join(',')}`;
    })
    .join(';');
}

function tls(
  { certificates }: TopologyOptions,
  name: string,
  settings: { ca: string; cert: string; key: string },
): Record<string, string> {
  return {
    [settings.ca]: `${certificates}/ca.crt`,
    [settings.cert]: `${certificates}/${name}.crt`,
    [settings.key]: `${certificates}/${name}.key`,
  };
}

function script(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
