export { LogCacheClient, type LogCacheClientOptions } from './client.ts';
export {
  createClusterReader,
  createLogCache,
  type LogCache,
  type LogCacheOptions,
  MembershipError,
} from './log-cache.ts';
export {
  type MetaResult,
  ReadError,
  type Reader,
  type ReadRequest,
  type ReadResult,
  readRequest,
} from './reader.ts';
export {
  currentPath,
  isLogCachePath,
  type LogCacheRoutesOptions,
  logCacheNotFound,
  logCacheRoutes,
} from './rest/routes.ts';
export { type PersistenceSettings, persistenceSettings } from './restart/settings.ts';
export {
  MAX_PER_SOURCE_DEFAULT,
  MAX_SOURCES_DEFAULT,
  MEMORY_LIMIT_BYTES_DEFAULT,
  MEMORY_LIMIT_BYTES_MAX,
  MEMORY_LIMIT_BYTES_MIN,
  type MetaInfo,
  Store,
  type StoreOptions,
} from './store.ts';
export type { Tails } from './tail/tail.ts';
