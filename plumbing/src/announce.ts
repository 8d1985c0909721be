/**
 * Where a process listens, told in the one form that people and the test harness read, also when
 * the port was 0: `grpc bound to: 127.0.0.1:8082`.
 */

export type ListenerKind = 'grpc' | 'ws' | 'http' | 'pprof' | 'udp' | 'syslog' | 'metrics';

export function announce(kind: ListenerKind, address: string): void {
  process.stderr.write(`${kind} bound to: ${address}\n`);
}
