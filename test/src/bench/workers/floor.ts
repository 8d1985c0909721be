/**
 * The floor: the least that a Node process can do for an envelope that comes in and goes out.
 *
 *     load ──BatchSender──▶ grpc-js ──BatchedReceiver──▶ reader
 *
 * A bare grpc-js server with the mutual TLS and the windows of ours, which writes each message
 * unread to whoever subscribed; its heap has the room that ours have, for without it V8's mood halves
 * or doubles what it takes. Nothing is scanned, kept, matched, bounded or counted, so it must
 * not be given more than its reader takes.
 */

import { readFileSync } from 'node:fs';
import type { Http2Server, Http2Session } from 'node:http2';
import * as grpc from '@grpc/grpc-js';
import { giveHeapRoom, MAX_MESSAGE_BYTES, WINDOW_BYTES } from '@standpipe/plumbing';
import { egressService, ingressService } from '@standpipe/protos';
import type { SinkOptions } from '../worker.ts';
import { optionsOf, serve } from './serve.ts';

/** What of grpc.Server is private in its types, and needed for windows of 1 MiB. */
interface Insides {
  readonly commonServerOptions: { settings?: object };
  readonly http2Servers: ReadonlyMap<Http2Server, unknown>;
}

const { tls } = optionsOf<SinkOptions>();
giveHeapRoom();
const server = new grpc.Server({
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc.enable_channelz': 0,
});
const { commonServerOptions, http2Servers } = server as unknown as Insides; // As said above.
commonServerOptions.settings = {
  ...commonServerOptions.settings,
  initialWindowSize: WINDOW_BYTES,
};

const subscribers = new Set<grpc.ServerWritableStream<Buffer, Buffer>>();
server.addService(ingressService, {
  batchSender(call: grpc.ServerReadableStream<Buffer, Buffer>) {
    call.on('data', (bytes: Buffer) => {
      for (const subscriber of subscribers) subscriber.write(bytes);
    });
    call.on('error', () => undefined); // The load has left.
  },
});
server.addService(egressService, {
  batchedReceiver(call: grpc.ServerWritableStream<Buffer, Buffer>) {
    subscribers.add(call);
    call.on('cancelled', () => subscribers.delete(call));
    call.on('error', () => subscribers.delete(call));
  },
});

const credentials = grpc.ServerCredentials.createSsl(
  readFileSync(tls.ca),
  [{ cert_chain: readFileSync(tls.cert), private_key: readFileSync(tls.key) }],
  true,
);
server.bindAsync('127.0.0.1:0', credentials, (error, port) => {
  if (error) throw error;
  for (const http2Server of http2Servers.keys()) {
    http2Server.on('session', (session: Http2Session & { setLocalWindowSize(n: number): void }) =>
      session.setLocalWindowSize(WINDOW_BYTES),
    );
  }
  serve(() => ({ envelopes: 0 }), { envelopes: 0, address: `127.0.0.1:${port}` });
});
