/** An outlet for tests: decodes and remembers what it is given, and can be made to seem full. */

import { loggregator } from '@standpipe/protos';
import type { Outlet } from './instance-output.ts';

export type Envelope = loggregator.v2.Envelope;

export class SpyOutlet implements Outlet {
  readonly envelopes: Envelope[] = [];
  waiting = 0;
  isConnected = true;
  flushes = 0;

  emit(envelope: Uint8Array): void {
    this.envelopes.push(loggregator.v2.Envelope.decode(Buffer.from(envelope)));
  }

  async flush(): Promise<void> {
    this.flushes += 1;
    this.waiting = 0;
  }

  /** What was logged with this source type, as `OUT text` or `ERR text`. */
  lines(sourceType = 'APP/PROC/WEB'): string[] {
    return linesOf(this.envelopes, sourceType);
  }
}

/** The logs with this source type, as `OUT text` or `ERR text`. */
export function linesOf(envelopes: readonly Envelope[], sourceType = 'APP/PROC/WEB'): string[] {
  return envelopes
    .filter(({ log, tags }) => log && tags.source_type === sourceType)
    .map(({ log }) => `${log?.type === 1 ? 'ERR' : 'OUT'} ${Buffer.from(log?.payload ?? [])}`);
}
