/** All that can be set on a statsd injector: by flags, as the original's, but for its metrics. */

import { parseArgs } from 'node:util';
import {
  ConfigError,
  Env,
  nearestName,
  type ObservabilityConfig,
  observabilitySettings,
  type TlsFiles,
} from '@standpipe/plumbing';

export interface InjectorConfig extends ObservabilityConfig {
  /** Where statsd clients send (UDP). `localhost` is 127.0.0.1. */
  readonly host: string;
  /** 0 is any free port. */
  readonly port: number;
  /** The agent of this machine. */
  readonly agentAddress: string;
  readonly tls: TlsFiles;
}

const FLAGS = {
  'statsd-host': { type: 'string', default: 'localhost' },
  'statsd-port': { type: 'string', default: '8125' },
  'metron-port': { type: 'string', default: '3458' },
  ca: { type: 'string' },
  cert: { type: 'string' },
  key: { type: 'string' },
} as const;

const LOOPBACK = '127.0.0.1';

export function readConfig(
  args: readonly string[] = process.argv.slice(2),
  vars: Readonly<NodeJS.ProcessEnv> = process.env,
): InjectorConfig {
  const mistakes: string[] = [];
  const flags = readFlags(args, mistakes);
  const env = new Env(vars);
  const config: InjectorConfig = {
    host: flags['statsd-host'] === 'localhost' ? LOOPBACK : (flags['statsd-host'] ?? LOOPBACK),
    port: portOf(flags, 'statsd-port', mistakes),
    agentAddress: `${LOOPBACK}:${portOf(flags, 'metron-port', mistakes)}`,
    tls: {
      ca: required(flags, 'ca', mistakes),
      cert: required(flags, 'cert', mistakes),
      key: required(flags, 'key', mistakes),
    },
    ...observabilitySettings(env),
  };
  try {
    env.done();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    mistakes.push(...error.mistakes);
  }
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return config;
}

type Flags = Partial<Record<keyof typeof FLAGS, string>>;

function readFlags(args: readonly string[], mistakes: string[]): Flags {
  const flags: Flags = {};
  const { values, positionals } = parseArgs({ args: [...args], options: FLAGS, strict: false });
  for (const word of positionals) mistakes.push(`"${word}" is no flag`);
  for (const [name, value] of Object.entries(values)) {
    if (!(name in FLAGS)) {
      const meant = nearestName(name, Object.keys(FLAGS));
      mistakes.push(`--${name} is no flag${meant ? `; did you mean --${meant}?` : ''}`);
    } else if (typeof value !== 'string') {
      mistakes.push(`--${name} must be given a value`);
    } else flags[name as keyof typeof FLAGS] = value; // It is in FLAGS.
  }
  return flags;
}

function portOf(flags: Flags, name: keyof Flags, mistakes: string[]): number {
  const text = flags[name] ?? '';
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  mistakes.push(`--${name} is ${JSON.stringify(text)}: it must be a port from 0 to 65535`);
  return 0;
}

function required(flags: Flags, name: keyof Flags, mistakes: string[]): string {
  const value = flags[name] ?? '';
  if (value === '') mistakes.push(`--${name} must be given`);
  return value;
}
