export { AccessLog, type AccessLogOptions } from './access-log.ts';
export { formatAddress, type HostPort, isLoopback, parseAddress } from './address.ts';
export { announce, type ListenerKind } from './announce.ts';
export { authorizationOf, bareToken } from './authorization.ts';
export { Backoff, type BackoffOptions } from './backoff.ts';
export { TlsError } from './certificates.ts';
export type { CipherSuites } from './cipher-suites.ts';
export { type Clock, systemClock } from './clock.ts';
export {
  type DnsSettings,
  dnsSettings,
  isLiteral,
  type Members,
  shardSettings,
  staticMembers,
  type Zone,
  zoneSettings,
} from './discovery.ts';
export { dnsMembers, type MembersOptions, openMembers } from './dns-members.ts';
export { type NameResolver, nameResolver, type ServiceRecord } from './dns-resolver.ts';
export { formatDuration } from './duration.ts';
export { ConfigError, Env, type EnvOptions } from './env.ts';
export {
  type DialOptions,
  dial,
  type GrpcListener,
  type GrpcListenOptions,
  type GrpcService,
  listenGrpc,
  MAX_MESSAGE_BYTES,
  WINDOW_BYTES,
} from './grpc.ts';
export { allocateMessage } from './grpc-server/framing.ts';
export { guidOf } from './guid.ts';
export { giveHeapRoom } from './heap-room.ts';
export { type HttpListener, type HttpListenOptions, listenHttp } from './http.ts';
export { countRefused } from './http-refused.ts';
export { koaApp } from './koa-app.ts';
export { ListenError } from './listen-error.ts';
export { createLogger, type Fields, type Log, type LoggerOptions, type LogLevel } from './log.ts';
export {
  type Collection,
  type Counter,
  type Gauge,
  type GaugeOptions,
  type Labels,
  Metrics,
  type Sample,
  type Series,
} from './metrics.ts';
export {
  type Observability,
  type ObservabilityConfig,
  observability,
  observabilitySettings,
} from './observability.ts';
export { type Answer, Outgoing, OutgoingError, type OutgoingOptions } from './outgoing.ts';
export { Pace, Rounds, type RoundsOptions } from './pace.ts';
export { BoundedQueue, type QueueOptions, type Weighted } from './queue.ts';
export { DRAIN_LIMIT_MS, run, type Service } from './service.ts';
export { nearestName } from './spelling.ts';
export { type Message, type MessageStream, type PumpOptions, StreamPump } from './stream-pump.ts';
export { listenTcp, type TcpListener, type TcpListenOptions } from './tcp.ts';
export {
  type Authorities,
  type ClientContext,
  clientContext,
  type KeyPair,
  type KeyPairFiles,
  readAuthorities,
  readKeyPair,
  readTls,
  type Tls,
  type TlsFiles,
  tlsSettings,
} from './tls.ts';
export { type TlsReport, TlsSource, type TlsSourceOptions } from './tls-source.ts';
export { WatchedFile, type WatchedFileOptions } from './watched-file.ts';
