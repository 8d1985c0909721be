/**
 * The door of an agent: `loggregator.v2.Ingress`, for the programs of its machine.
 *
 * A message is scanned and processed at once, so nothing waits here and nothing is dropped. A
 * malformed one ends its stream with INTERNAL and is counted; what came before it has been
 * taken. A message over 10 MiB ends its stream with RESOURCE_EXHAUSTED before it gets here. Streams
 * are answered when their client ends them.
 *
 * While the way out lags behind, a stream is read for 64 KiB at a time and then waits for one turn
 * of the event loop. Without that, reading starves writing: a turn reads megabytes, and writes one
 * message. It delays a client by microseconds and never holds it back.
 *
 * Hot: once per message; one Batch serves all streams, since processing does not wait.
 */

import {
  type handleUnaryCall,
  type ServerReadableStream,
  status as Status,
  type sendUnaryData,
} from '@grpc/grpc-js';
import type { GrpcService, Log } from '@standpipe/plumbing';
import { Batch, ingressService, scanBatch, scanEnvelope } from '@standpipe/protos';
import type { MetronMetrics } from './metrics.ts';

/** An empty IngressResponse, BatchSenderResponse or SendResponse. */
const ANSWER = Buffer.alloc(0);

/** What is read of a stream before it waits for a turn, while the way out lags behind. */
const YIELD_BYTES = 64 * 1024;

export interface IngressOptions {
  /** Takes a scanned batch, whose bytes it must copy. */
  readonly process: (batch: Batch) => void;
  /** Whether the way out lags behind. */
  readonly isBehind: () => boolean;
  readonly metrics: MetronMetrics;
  readonly log: Log;
}

type Scan = (bytes: Buffer, into: Batch) => boolean;

export function ingress({ process, isBehind, metrics, log }: IngressOptions): GrpcService {
  const batch = new Batch();

  /** Takes one message in; returns what is wrong with it, or ''. */
  const take = (bytes: Buffer, scan: Scan): string => {
    if (scan(bytes, batch)) {
      metrics.ingress.add(batch.count);
      process(batch);
      return '';
    }
    metrics.malformed.add(1);
    log.limited('malformed', 'warn', { mistake: batch.mistake }, 'a message was refused');
    return batch.mistake;
  };

  const stream =
    (scan: Scan) =>
    (call: ServerReadableStream<Buffer, Buffer>, answer: sendUnaryData<Buffer>): void => {
      let isRefused = false;
      let readBytes = 0;
      call.on('data', (bytes: Buffer) => {
        if (isRefused) return;
        const details = take(bytes, scan);
        if (details !== '') {
          isRefused = true;
          answer({ code: Status.INTERNAL, details });
          return;
        }
        readBytes += bytes.length;
        if (readBytes < YIELD_BYTES || !isBehind()) return;
        readBytes = 0;
        call.pause();
        setImmediate(() => call.resume());
      });
      call.on('end', () => {
        if (!isRefused) answer(null, ANSWER);
      });
      call.on('error', ({ message }) => {
        log.limited('stream', 'info', { reason: message }, 'a stream ended with an error');
      });
    };

  const send: handleUnaryCall<Buffer, Buffer> = ({ request }, answer) => {
    const details = take(request, scanBatch);
    if (details === '') answer(null, ANSWER);
    else answer({ code: Status.INTERNAL, details });
  };

  return {
    definition: ingressService,
    implementation: { sender: stream(scanEnvelope), batchSender: stream(scanBatch), send },
  };
}
