/**
 * What the pipeline's own processes write to stderr, sent through the pipeline as logs: the source
 * id is the process's kind (`doppler`), the instance which of them it is (`az1/0`).
 *
 * They go to an agent and take the same way as the logs of apps. While the agent is not there yet
 * they wait in the client's bounded queue.
 */

import { IngressClient } from '@standpipe/agents';
import type { Log, Tls } from '@standpipe/plumbing';
import { loggregator, nowNanoseconds } from '@standpipe/protos';
import Long from 'long';
import type { ProcessSpec } from '../process.ts';

const { Envelope, Log: LogMessage } = loggregator.v2;

export class ComponentLogs implements AsyncDisposable {
  readonly #client: IngressClient;

  constructor(options: { address: string; tls: Tls; log: Log }) {
    this.#client = new IngressClient({ ...options, maxCount: 10_000 });
  }

  /** Sends one line; an empty one is not worth it. */
  write({ name, sourceId }: ProcessSpec, line: string): void {
    if (line === '') return;
    const index = name.slice(name.indexOf(' ') + 1);
    const envelope = Envelope.encode({
      timestamp: Long.fromString(String(nowNanoseconds())),
      source_id: sourceId,
      instance_id: index === name ? '0' : index,
      tags: { origin: sourceId, source_type: sourceId.toUpperCase(), job: sourceId },
      log: { payload: Buffer.from(line), type: LogMessage.Type.ERR },
    });
    this.#client.emit(envelope.finish());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]();
  }
}
