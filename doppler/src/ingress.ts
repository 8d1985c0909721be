/**
 * The doors by which v2 envelopes come in: `loggregator.v2.Ingress`.
 *
 *     BatchSender   a stream of batches        ─┐
 *     Sender        a stream of envelopes       ├──▶ scan ──▶ router
 *     Send          one batch, and an answer   ─┘
 *
 * Nothing waits here and nothing is dropped: a message is scanned and routed before the next is
 * read, and a sender that is too fast meets gRPC's flow control. A message that can't be read ends
 * the call that brought it with INTERNAL and says why; it is counted, and no other call notices.
 * One that is too large ends its call with RESOURCE_EXHAUSTED.
 *
 * When a sender closes its half, `BatchSender` and `Sender` end with UNKNOWN and the text `EOF`,
 * which is how Loggregator v107.0.21 says goodbye and what its agents expect. `Send`, which that
 * one refuses, works here.
 *
 * Hot: one scan and one route per message, into columns that all calls share.
 */

import {
  type ServerReadableStream,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import type { GrpcService, Log } from '@standpipe/plumbing';
import { Batch, ingressService, scanBatch, scanEnvelope, V1Count } from '@standpipe/protos';
import type { DopplerMetrics } from './metrics.ts';
import type { Router } from './router.ts';
import { StreamsIn } from './streams-in.ts';

/** IngressResponse, BatchSenderResponse and SendResponse have no fields. */
const EMPTY = Buffer.alloc(0);

export interface IngressOptions {
  readonly router: Router;
  readonly metrics: DopplerMetrics;
  readonly log: Log;
}

type SenderCall = ServerReadableStream<Buffer, Buffer>;
type Answer = sendUnaryData<Buffer>;
type Scan = (bytes: Buffer, into: Batch) => boolean;

export class Ingress {
  readonly #router: Router;
  readonly #metrics: DopplerMetrics;
  readonly #log: Log;
  readonly #streams = new StreamsIn();
  readonly #batch = new Batch();
  readonly #v1Count = new V1Count();

  constructor({ router, metrics, log }: IngressOptions) {
    this.#router = router;
    this.#metrics = metrics;
    this.#log = log;
  }

  get service(): GrpcService {
    return {
      definition: ingressService,
      implementation: {
        batchSender: (call: SenderCall, answer: Answer) => this.#stream(call, answer, scanBatch),
        sender: (call: SenderCall, answer: Answer) => this.#stream(call, answer, scanEnvelope),
        send: (call: ServerUnaryCall<Buffer, Buffer>, answer: Answer) => {
          const mistake = this.#accept(call.request, scanBatch, call.getPeer());
          if (mistake === '') answer(null, EMPTY);
          else answer({ code: status.INTERNAL, details: mistake });
        },
      },
    };
  }

  /** Ends the streams that are open, and takes no more. */
  close(): void {
    this.#streams.close();
  }

  #stream(call: SenderCall, answer: Answer, scan: Scan): void {
    const peer = call.getPeer();
    this.#streams.serve(call, answer, {
      onMessage: (bytes) => {
        const mistake = this.#accept(bytes, scan, peer);
        return mistake === '' ? undefined : { code: status.INTERNAL, details: mistake };
      },
      onEnd: () => ({ code: status.UNKNOWN, details: 'EOF' }),
    });
  }

  /** Scans and routes one message. Returns why it could not, or nothing. */
  #accept(bytes: Buffer, scan: Scan, peer: string): string {
    const batch = this.#batch;
    if (!scan(bytes, batch)) {
      const { mistake } = batch;
      this.#metrics.malformed.add(1);
      this.#log.limited('malformed', 'warn', { peer, mistake }, 'refused a malformed message');
      return mistake;
    }
    this.#metrics.received.add(batch.count);
    this.#metrics.ingress.add(this.#v1Count.ofBatch(batch));
    this.#router.route(batch);
    return '';
  }
}
