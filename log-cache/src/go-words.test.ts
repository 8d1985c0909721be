import { status } from '@grpc/grpc-js';
import test from 'ava';
import { goWords } from './go-words.ts';

const { UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED, INTERNAL } = status;

for (const [code, said, words] of [
  [
    UNAVAILABLE,
    unconnected('Error: connect ECONNREFUSED 127.0.0.1:8080'),
    dialing('127.0.0.1:8080: connect: connection refused'),
  ],
  [
    UNAVAILABLE,
    unconnected('Error: connect ECONNREFUSED ::1:8080'),
    dialing('[::1]:8080: connect: connection refused'),
  ],
  [
    UNAVAILABLE,
    unconnected('Error: connect EHOSTUNREACH 10.0.0.1:8080 - Local (10.0.0.2:5)'),
    dialing('10.0.0.1:8080: connect: no route to host'),
  ],
  [
    UNAVAILABLE,
    unconnected('Error: connect ETIMEDOUT 10.0.0.1:8080'),
    dialing('10.0.0.1:8080: i/o timeout'),
  ],
  [
    UNAVAILABLE,
    unconnected('read ECONNRESET (2026-01-01T00:00:00.000Z)'),
    'connection error: desc = "error reading server preface: read tcp: read: connection reset by peer"',
  ],
  [
    UNAVAILABLE,
    'Name resolution failed for target dns:log-cache.invalid:8080',
    'name resolver error: produced zero addresses',
  ],
  [UNAVAILABLE, 'Connection dropped', 'error reading from server: EOF'],
  [
    UNAVAILABLE,
    'read ECONNRESET',
    'error reading from server: read tcp: read: connection reset by peer',
  ],
  [
    DEADLINE_EXCEEDED,
    'Deadline exceeded after 5.000s,LB pick: 0.001s,remote_addr=127.0.0.1:8080',
    'context deadline exceeded',
  ],
  [CANCELLED, 'Cancelled on client', 'context canceled'],
  [UNAVAILABLE, unconnected('Failed to connect (2026-01-01T00:00:00.000Z)'), undefined],
  [DEADLINE_EXCEEDED, 'query timed out in expression evaluation', undefined],
  [INTERNAL, 'Connection dropped', undefined],
] as const) {
  test(`has Go’s words for ${status[code]}: ${said}`, (t) => {
    t.is(goWords({ code, details: said }), words);
  });
}

function unconnected(reason: string): string {
  return `No connection established. Last error: ${reason}. Resolution note: `;
}

function dialing(reason: string): string {
  return `connection error: desc = "transport: Error while dialing: dial tcp ${reason}"`;
}
