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
  readonly bindingsFile: string;
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

/** With one of these set, a process speaks HTTPS. */
const CERTIFICATE_SETTINGS: readonly string[] = [
  'TRAFFIC_CONTROLLER_OUTGOING_CERT_FILE',
  'EXTERNAL_CERT',
  'HTTP_CERT_PATH',
];

type Row = readonly [name: string, where: string];

function processRows(pipeline: Pipeline): Row[] {
  return pipeline.processes.map((managed) => {
    const { spec } = managed;
    const served = spec.listeners.filter((listener) => listener !== 'metrics');
    const isSecure = CERTIFICATE_SETTINGS.some((name) => spec.env[name] !== undefined);
    const where = [...served, 'metrics'].map((listener) =>
      place(listener, managed.address(listener), isSecure),
    );
    return [spec.name, where.join('   ')];
  });
}

/** What is served there, as one would type it. */
function place(listener: string, address: string, isSecure: boolean): string {
  if (listener === 'metrics') return `http://${address}/metrics`;
  if (listener === 'http' || listener === 'ws') return `http${isSecure ? 's' : ''}://${address}`;
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
    ['those of its lines in which a text stands', curl(visits(shop?.guid ?? ''))],
    ['its lines as they come', curl(`/api/v1/tail/${shop?.guid}?envelope_types=LOG`, '-N')],
    ['which sources there are', curl('/api/v1/meta')],
    ['PromQL: how many lines each app has', curl(`/api/v1/query?query=${LINES_OF_APPS}`)],
    ['everything, as it happens', nozzle],
    ['logs as server-sent events', curl('/v2/read?log', '-N')],
    [
      'a metric of your own, to be read at /api/v1/read/demo',
      `bash -c "echo 'demo.visits:1|c|#page:home' >/dev/udp/127.0.0.1/${portOf('statsd-injector')}"`,
    ],
    ...(rsyslog ? [['the drain of the shop', `tail -f '${rsyslog.file}'`] as const] : []),
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
    `$(${curl} -sS -u cf: -d 'grant_type=password&username=${user}&password=${user}' https://${front}/oauth/token | sed 's/.*"access_token":"\\([^"]*\\).*/\\1/')`;
  return {
    token: [
      ['whose certificates to believe', `CA='${pipeline.certificates}/ca.crt'`],
      [
        'an administrator’s token, which all that follows works with; it lasts an hour',
        `TOKEN=${tokenOf('admin')}`,
      ],
      // Under another name, so that whoever copies both is left with the one that all else takes.
      [
        'a user’s token, which reads the apps and nothing else; to try it, write $DEV_TOKEN for $TOKEN',
        `DEV_TOKEN=${tokenOf('dev')}`,
      ],
    ],
    curl: (path, flag) =>
      [curl, flag, `-H "Authorization: bearer $TOKEN" 'https://${front}${path}'`]
        .filter(Boolean)
        .join(' '),
    nozzle: `TOKEN=$TOKEN NODE_EXTRA_CA_CERTS="$CA" ${nozzle} wss://${front}`,
  };
}

function notes({ rsyslog, appsFile, bindingsFile }: ScreenOptions): string[] {
  const edits = [
    `Apps are started, stopped and changed by editing ${appsFile},`,
    `drains by editing ${bindingsFile}.`,
  ];
  if (rsyslog) return edits;
  return [
    'rsyslogd is not installed, so nothing is drained. On Debian: apt-get install rsyslog',
    ...edits,
  ];
}

const LINES_OF_APPS = 'sum%20by(app_name)(log_lines_total)';

function visits(sourceId: string): string {
  return `/api/v1/read/${sourceId}?descending=true&limit=5&contains=/checkout`;
}

function lastLines(sourceId: string): string {
  return `/api/v1/read/${sourceId}?descending=true&limit=5&envelope_types=LOG`;
}
