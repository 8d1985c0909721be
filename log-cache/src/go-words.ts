/**
 * What grpc-go says of what keeps a call from its answer, of which grpc-js has words of its own.
 *
 * Clients of the original's gateway are told Go's. What it has no words for, and whatever a server
 * has said, is left as it is. grpc-js does not tell from which port to which it read when a
 * connection was reset: Go's text is then that of a connection whose addresses are not known.
 */

import { type ServiceError, status } from '@grpc/grpc-js';
import { canceled, deadlineExceeded } from './read-error.ts';

/** What the operating system refuses, in Go's words. */
const ERRNOS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  ECONNRESET: 'connect: connection reset by peer',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'i/o timeout', // Go waits less long than the operating system.
};
const READ_RESET = 'read ECONNRESET';
const RESET = 'read tcp: read: connection reset by peer';

/** Undefined, when Go has no words for it. */
export function goWords({
  code,
  details,
}: Pick<ServiceError, 'code' | 'details'>): string | undefined {
  if (code === status.DEADLINE_EXCEEDED && details.startsWith('Deadline exceeded after')) {
    return deadlineExceeded().message;
  }
  if (code === status.CANCELLED && /^(Cancelled on client|Call cancelled)/.test(details)) {
    return canceled().message;
  }
  if (code !== status.UNAVAILABLE) return undefined;
  if (details.startsWith('Name resolution failed')) {
    return 'name resolver error: produced zero addresses';
  }
  if (details === 'Connection dropped') return 'error reading from server: EOF';
  if (details === READ_RESET) return `error reading from server: ${RESET}`;
  const reason = connectionError(details);
  return reason === undefined ? undefined : notConnected(reason);
}

/** Why there is no connection, without what grpc-js puts around it; undefined, when there is one. */
export function connectionError(details: string): string | undefined {
  return /^No connection established\. Last error: (.*)\. Resolution note: /s
    .exec(details)?.[1]
    ?.replace(/^Error: /, '')
    .replace(/ \(\d{4}-\d\d-\d\dT[^)]*\)$/, '');
}

function notConnected(reason: string): string | undefined {
  if (reason === READ_RESET)
    return `connection error: desc = "error reading server preface: ${RESET}"`;
  const [, errno = '', host = '', port] = /^connect (E[A-Z]+) (\S+):(\d+)/.exec(reason) ?? [];
  const text = ERRNOS[errno];
  if (text === undefined) return undefined;
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return `connection error: desc = "transport: Error while dialing: dial tcp ${address}: ${text}"`;
}
