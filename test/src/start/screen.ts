/** What `npm start` prints when all listens: what runs where, and what to try. */

import type { Pipeline } from '../pipeline.ts';
import type { PortOf } from '../ports.ts';
import type { Rsyslog } from '../rsyslog.ts';
import type { LocalApp } from './apps.ts';

export interface ScreenOptions {
  readonly pipeline: Pipeline;
  readonly portOf: PortOf;
  readonly apps: readonly LocalApp[];
  readonly appsFile: string;
  /** Undefined where rsyslogd is not installed. */
  readonly rsyslog: Rsyslog | undefined;
  /** Whether the front door speaks TLS and asks for tokens. */
  readonly secure: boolean;
}

/** The table of processes and apps, then the commands to copy, each below what it shows. */
export function screen(options: ScreenOptions): string {
  const rows = [...processRows(options.pipeline), ...appRows(options), ...drainRows(options)];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    '',
    'Standpipe is running, all of it on this machine:',
    '',
    ...rows.map(([name, where]) => `  ${name.padEnd(width)}   ${where}`),
    '',
    'To try, in another terminal:',
    '',
    ...tries(options).flatMap(([what, command]) => [`  # ${what}`, `  ${command}`]),
    '',
    ...notes(options),
    'Ctrl-C drains and stops everything.',
    '',
    '',
  ].join('\n');
}

type Row = readonly [name: string, where: string];

function processRows(pipeline: Pipeline): Row[] {
  return pipeline.processes.map((managed) => {
    const { spec } = managed;
    const served = spec.listeners.filter((listener) => listener !== 'metrics');
    const isSecure = spec.env.TRAFFIC_CONTROLLER_OUTGOING_CERT_FILE !== undefined;
    const where = [...served, 'metrics'].map((listener) =>
      place(listener, managed.address(listener), isSecure),
    );
    return [spec.name, where.join('   ')];
  });
}

/** What is served there, as one would type it. */
function place(listener: string, address: string, isSecure: boolean): string {
  if (listener === 'metrics') return `http://${address}/metrics`;
  if (listener === 'ws' && isSecure) return `https://${address}`;
  if (listener === 'http' || listener === 'ws') return `http://${address}`;
  return `${listener} ${address}`;
}

function appRows({ apps }: ScreenOptions): Row[] {
  return apps.map(({ name, guid, instances = 1, port }) => {
    const urls = Array.from({ length: instances }, (_, index) =>
      port === undefined ? '' : `http://127.0.0.1:${port + index}`,
    );
    return [`app ${name}`, [`source id ${guid}`, ...urls].join('   ').trimEnd()];
  });
}

function drainRows({ rsyslog }: ScreenOptions): Row[] {
  return rsyslog ? [['rsyslogd', `tcp 127.0.0.1:${rsyslog.port}   writes ${rsyslog.file}`]] : [];
}

function tries(options: ScreenOptions): Row[] {
  const { apps, portOf, rsyslog } = options;
  const [shop] = apps;
  const { curl, nozzle, token } = doorOf(options);
  return [
    ...token,
    ['the last lines of the shop (what they say is in base64)', curl(lastLines(shop?.guid ?? ''))],
    ['which sources there are', curl('/api/v1/meta')],
    ['everything, as it happens', nozzle],
    ['logs as server-sent events', curl('/v2/read?log', '-N')],
    [
      'a metric of your own, to be read at /api/v1/read/demo',
      `bash -c "echo 'demo.visits:1|c|#page:home' >/dev/udp/127.0.0.1/${portOf('statsd-injector')}"`,
    ],
    ...(rsyslog ? [['the drain of the shop', `tail -f ${rsyslog.file}`] as const] : []),
    ...apps
      .filter(({ port }) => port === undefined)
      .map(({ name, guid }): Row => [`the last lines of ${name}`, curl(lastLines(guid))]),
    ['a request by hand', `curl http://127.0.0.1:${shop?.port}/checkout`],
  ];
}

/** How one asks at the front door; where it wants a token, first how to get one. */
interface Door {
  readonly token: readonly Row[];
  readonly curl: (path: string, flag?: string) => string;
  readonly nozzle: string;
}

function doorOf({ secure, portOf, pipeline }: ScreenOptions): Door {
  const front = `127.0.0.1:${portOf('traffic-controller')}`;
  const nozzle = 'node examples/nozzle.mjs';
  if (!secure) {
    return {
      token: [],
      curl: (path, flag) => ['curl', flag, `'http://${front}${path}'`].filter(Boolean).join(' '),
      nozzle: `${nozzle} ws://${front}`,
    };
  }
  const curl = 'curl --cacert "$CA"';
  const tokenOf = (user: string): string =>
    `TOKEN=$(${curl} -s -u cf: -d 'grant_type=password&username=${user}&password=${user}' https://${front}/oauth/token | sed 's/.*"access_token":"\\([^"]*\\).*/\\1/')`;
  return {
    token: [
      ['whose certificates to believe', `CA='${pipeline.certificates}/ca.crt'`],
      ['a token to read everything with; it lasts an hour', tokenOf('admin')],
      ['or one to read only the apps with', tokenOf('dev')],
    ],
    curl: (path, flag) =>
      [curl, flag, `-H "Authorization: bearer $TOKEN" 'https://${front}${path}'`]
        .filter(Boolean)
        .join(' '),
    nozzle: `TOKEN=$TOKEN NODE_EXTRA_CA_CERTS="$CA" ${nozzle} wss://${front}`,
  };
}

function notes({ rsyslog, appsFile }: ScreenOptions): string[] {
  const edit = `Apps are started, stopped and changed by editing ${appsFile}.`;
  if (rsyslog) return [edit];
  return [
    'rsyslogd is not installed, so nothing is drained. On Debian: apt-get install rsyslog',
    edit,
  ];
}

function lastLines(sourceId: string): string {
  return `/api/v1/read/${sourceId}?descending=true&limit=5&envelope_types=LOG`;
}
