/** The settings that every process with a log cache has for its data folder. */

import type { Env } from '@standpipe/plumbing';

export interface PersistenceSettings {
  /** The folder that the cache is kept in from one start to the next. */
  readonly folder: string;
  /** Whether what comes in is written down at once. */
  readonly journal: boolean;
  /** How long writing a snapshot at the end, and taking it back at the start, may take. */
  readonly saveTimeoutMs: number;
  readonly restoreTimeoutMs: number;
}

/** LOG_CACHE_DATA_DIR and what belongs to it; undefined, when that is not set. */
export function persistenceSettings(env: Env): PersistenceSettings | undefined {
  const folder = env.optional('LOG_CACHE_DATA_DIR');
  const journal = env.flag('LOG_CACHE_JOURNAL', { strict: true });
  const range = { min: '100ms', max: '1h' };
  const saveTimeoutMs = env.duration('LOG_CACHE_SAVE_TIMEOUT', { fallback: '20s', ...range });
  const restoreTimeoutMs = env.duration('LOG_CACHE_RESTORE_TIMEOUT', { fallback: '2m', ...range });
  if (folder !== undefined) return { folder, journal, saveTimeoutMs, restoreTimeoutMs };
  if (journal) env.mistake('LOG_CACHE_JOURNAL', 'is on, but LOG_CACHE_DATA_DIR is not set');
  return undefined;
}
