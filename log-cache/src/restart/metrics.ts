/** What is counted of files: those that are read at the start, and those that are written. */

import type { Counter, Gauge, Metrics } from '@standpipe/plumbing';

export interface RestartMetrics {
  readonly restored: Counter;
  readonly restoreDuration: Gauge;
  readonly snapshots: Counter;
  readonly snapshotBytes: Counter;
  readonly snapshotDuration: Gauge;
  readonly journalBytes: Counter;
  readonly journalWritten: Counter;
  readonly journalDropped: Counter;
  readonly failures: Counter;
}

export function restartMetrics(metrics: Metrics): RestartMetrics {
  return {
    restored: metrics.counter(
      'log_cache_restored',
      'Envelopes taken back from the data folder at the start.',
    ),
    restoreDuration: metrics.gauge('log_cache_restore_duration', 'How long taking back took.', {
      unit: 'milliseconds',
    }),
    snapshots: metrics.counter('log_cache_snapshots', 'Snapshots written.'),
    snapshotBytes: metrics.counter('log_cache_snapshot_bytes', 'Bytes written to snapshots.'),
    snapshotDuration: metrics.gauge(
      'log_cache_snapshot_duration',
      'How long the last snapshot took.',
      { unit: 'milliseconds' },
    ),
    journalBytes: metrics.counter('log_cache_journal_bytes', 'Bytes written to the journal.'),
    journalWritten: metrics.counter(
      'log_cache_journal_written',
      'Envelopes written to the journal.',
    ),
    journalDropped: metrics.counter(
      'log_cache_journal_dropped',
      'Envelopes that the journal lacks, because the disk was slow, full or out of order.',
    ),
    failures: metrics.counter(
      'log_cache_persistence_failures',
      'Reads and writes in the data folder that failed.',
    ),
  };
}
