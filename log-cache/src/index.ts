export {
  accessBySettings,
  CLOUD_CONTROLLER_BYTES_MAX,
  type LogCacheAccess,
  type LogCacheAccessOptions,
  openLogCacheAccess,
} from './access/access.ts';
export { Guard, type GuardOptions } from './access/guard.ts';
export {
  ACCESS_UNUSED,
  type AccessSettings,
  accessSettings,
  type SecurityLogSettings,
  securityLogSettings,
} from './access/settings.ts';
export { LogCacheClient, type LogCacheClientOptions } from './client.ts';
export {
  type ClusterReading,
  createClusterReader,
  createLogCache,
  type LogCache,
  type LogCacheOptions,
  MembershipError,
} from './log-cache.ts';
export type { MetaInfo } from './meta-info.ts';
export { partialHeader } from './partial.ts';
export { QUERY_TIMEOUT_MS_DEFAULT, type Querier } from './promql/querier.ts';
export { sourceIdsIn, withSourceIds } from './promql/sources.ts';
export {
  type MetaResult,
  ReadError,
  type Reader,
  type ReadRequest,
  type ReadResult,
  readRequest,
} from './reader.ts';
export { listenRest, type RestOptions } from './rest/listen.ts';
export {
  currentPath,
  isLogCachePath,
  type LogCacheRoutesOptions,
  logCacheNotFound,
  logCacheRoutes,
} from './rest/routes.ts';
export { type RestSettings, restSettings } from './rest/settings.ts';
export { type PersistenceSettings, persistenceSettings } from './restart/settings.ts';
export {
  MAX_BYTES_PER_SOURCE_DEFAULT,
  MAX_BYTES_PER_SOURCE_MIN,
  MAX_PER_SOURCE_DEFAULT,
  MAX_SOURCES_DEFAULT,
  MEMORY_LIMIT_BYTES_DEFAULT,
  MEMORY_LIMIT_BYTES_MAX,
  MEMORY_LIMIT_BYTES_MIN,
  Store,
  type StoreOptions,
} from './store.ts';
export { type StoreSettings, storeSettings } from './store-settings.ts';
export type { Tails } from './tail/tail.ts';
