/**
 * The door by which v1 envelopes come in: `plumbing.DopplerIngestor`.
 *
 *     Pusher ──▶ read ──┬──▶ as it came ─────▶ v1 subscriptions
 *                       └──▶ as v2, scanned ──▶ log cache, v2 subscriptions
 *
 * An envelope that can't be read, or that lacks a field that v1 requires, is passed over: it is
 * counted, the log says whose it was, and the stream goes on, as with Loggregator v107.0.21. When
 * the sender closes its half the call ends well. Nothing waits here and nothing is dropped.
 *
 * Agents send what came as dropsonde over UDP this way, one envelope to a message. Hot where they
 * do: nothing is allocated but the bytes of both forms.
 */

import type { ServerReadableStream, sendUnaryData } from '@grpc/grpc-js';
import type { GrpcService, Log } from '@standpipe/plumbing';
import {
  Batch,
  BatchBuilder,
  dopplerIngestorService,
  FieldReader,
  KeepV1,
  scanBatch,
  ToV2,
  V1Parts,
} from '@standpipe/protos';
import type { DopplerMetrics } from './metrics.ts';
import type { Router } from './router.ts';
import { StreamsIn } from './streams-in.ts';
import type { V1Router } from './v1-router.ts';

export interface IngressV1Options {
  readonly router: Router;
  readonly v1: V1Router;
  readonly metrics: DopplerMetrics;
  readonly log: Log;
}

/** The field of EnvelopeData, and how it is laid out. */
const PAYLOAD = 1;
const LENGTH_DELIMITED = 2;

export class IngressV1 {
  readonly #router: Router;
  readonly #v1: V1Router;
  readonly #metrics: DopplerMetrics;
  readonly #log: Log;
  readonly #streams = new StreamsIn();
  readonly #fields = new FieldReader();
  readonly #parts = new V1Parts();
  readonly #keep = new KeepV1();
  readonly #toV2 = new ToV2();
  readonly #builder = new BatchBuilder();
  readonly #batch = new Batch();

  constructor({ router, v1, metrics, log }: IngressV1Options) {
    this.#router = router;
    this.#v1 = v1;
    this.#metrics = metrics;
    this.#log = log;
  }

  get service(): GrpcService {
    const pusher = (
      call: ServerReadableStream<Buffer, Buffer>,
      answer: sendUnaryData<Buffer>,
    ): void => {
      const peer = call.getPeer();
      this.#streams.serve(call, answer, {
        onMessage: (bytes) => {
          if (!this.#accept(bytes)) this.#refuse(peer);
          return undefined;
        },
        onEnd: () => undefined,
      });
    };
    return { definition: dopplerIngestorService, implementation: { pusher } };
  }

  /** Ends the streams that are open, and takes no more. */
  close(): void {
    this.#streams.close();
  }

  /** Routes the envelope in an EnvelopeData; false when it can't be read. */
  #accept(message: Buffer): boolean {
    let start = 0;
    let end = 0;
    for (const fields = this.#fields.over(message, 0, message.length); fields.next(); ) {
      if (fields.field !== PAYLOAD || fields.wireType !== LENGTH_DELIMITED) continue;
      start = fields.start;
      end = fields.end;
    }
    if (!this.#parts.read(message, start, end)) return false;

    this.#metrics.received.add(1);
    this.#metrics.ingress.add(1);
    if (this.#v1.isWanted) {
      this.#keep.begin();
      this.#keep.add(this.#parts);
      this.#v1.routeV1(this.#keep.finish());
    }
    if (!this.#toV2.add(this.#parts, this.#builder)) return true; // A type that v2 does not know.
    if (!scanBatch(this.#builder.take().bytes, this.#batch)) return false;
    this.#router.routeV2(this.#batch);
    return true;
  }

  #refuse(peer: string): void {
    this.#metrics.malformed.add(1);
    this.#log.limited('malformed v1', 'warn', { peer }, 'passed over a malformed v1 envelope');
  }
}
