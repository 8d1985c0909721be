/** What can be said behind `npm start --`. */

import { parseArgs } from 'node:util';

export interface StartOptions {
  /** The user's own programs, to run beside the examples. */
  readonly apps: readonly { readonly name: string; readonly command: string }[];
  /** Whether the public doors speak TLS and ask for tokens. */
  readonly secure: boolean;
  /** Added to every port, for a second pipeline beside the first (PORT_OFFSET). */
  readonly portOffset: number;
  readonly help: boolean;
}

/** A mistake in how it was called; its message is for the person who called. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const USAGE = `npm start                               the pipeline, with two example apps
npm start -- --app 'NAME=COMMAND'       and a program of yours (may be given several times)
npm start -- --secure                   with TLS and tokens at the public doors
PORT_OFFSET=1000 npm start              every port 1000 higher, for a second pipeline
`;

const HIGHEST_OFFSET = 65_535 - 9001;

export function startOptions(
  args: readonly string[],
  env: Readonly<NodeJS.ProcessEnv>,
): StartOptions {
  const { values } = parsed(args);
  // npm keeps a flag that stands before its own --, and nothing would be secure.
  if (env.npm_config_secure !== undefined && !values.secure) {
    throw new UsageError('npm kept --secure for itself: it is npm start -- --secure');
  }
  const offset = Number(env.PORT_OFFSET || '0');
  if (!Number.isInteger(offset) || offset < 0 || offset > HIGHEST_OFFSET) {
    throw new UsageError(
      `PORT_OFFSET must be a whole number from 0 to ${HIGHEST_OFFSET}, not ${env.PORT_OFFSET}`,
    );
  }
  const apps = (values.app ?? []).map(appOf);
  checkNames(apps);
  return { apps, secure: values.secure ?? false, portOffset: offset, help: values.help ?? false };
}

/** The names of the example apps, which the user's programs cannot have as well. */
const TAKEN: readonly string[] = ['shop', 'clock'];

function checkNames(apps: StartOptions['apps']): void {
  const names = [...TAKEN, ...apps.map(({ name }) => name)];
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new UsageError(`there is more than one app called ${twice}`);
}

function parsed(args: readonly string[]): {
  values: { app?: string[]; secure?: boolean; help?: boolean };
} {
  try {
    return parseArgs({
      args: [...args],
      options: {
        app: { type: 'string', multiple: true },
        secure: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    // npm takes what stands before its own -- for itself.
    throw new UsageError(`${(error as Error).message} (is there a -- between npm start and it?)`);
  }
}

function appOf(text: string): { name: string; command: string } {
  const match = /^([A-Za-z0-9][A-Za-z0-9._-]*)=(.+)$/s.exec(text);
  if (!match?.[1] || !match[2]) {
    throw new UsageError(
      `--app takes NAME=COMMAND, as in --app 'hello=while :; do date; sleep 1; done'; got ${text}`,
    );
  }
  return { name: match[1], command: match[2] };
}
