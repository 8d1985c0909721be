/** Stands in for a Doppler behind an agent: takes every batch and counts its envelopes. */

import type { ServerReadableStream } from '@grpc/grpc-js';
import { createLogger, listenGrpc, readTls } from '@standpipe/plumbing';
import { FieldReader, ingressService } from '@standpipe/protos';
import type { SinkOptions } from '../worker.ts';
import { optionsOf, serve } from './serve.ts';

const { tls } = optionsOf<SinkOptions>();
const fields = new FieldReader();
let envelopes = 0;

const { address } = await listenGrpc({
  address: '127.0.0.1:0',
  tls: readTls(tls),
  log: createLogger('bench', { level: 'error' }),
  services: [
    {
      definition: ingressService,
      implementation: {
        batchSender: (call: ServerReadableStream<Buffer, Buffer>) => {
          call.on('data', (bytes: Buffer) => {
            fields.over(bytes, 0, bytes.length);
            while (fields.next()) envelopes += 1;
          });
        },
      },
    },
  ],
});

serve(() => ({ envelopes }), { envelopes, address });
