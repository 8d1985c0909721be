/**
 * What an envelope costs on its way from a BatchResponse to a websocket's connection, against
 * `send` of ws, with a connection that takes everything and does nothing.
 */

import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { plumbing } from '@standpipe/protos';
import { Bench, type BenchOptions } from 'tinybench';
import { type WebSocket, WebSocketServer } from 'ws';
import { FrameQueue } from './frames.ts';

const BATCHES = 20;
const BATCH = 100;

export const unit = 'envelope';
export const perRun: number = BATCHES * BATCH;

export function bench(options: BenchOptions): Bench {
  const suite = new Bench(options);
  for (const size of [100, 282, 712, 4000]) {
    const message = batchOf(size);
    const queue = new FrameQueue();
    const connection = new Nowhere();
    suite.add(`frames in one write, ${size} bytes`, () => {
      for (let batch = 0; batch < BATCHES; batch += 1) {
        queue.put(message);
        for (let piece = queue.take(); piece !== undefined; piece = queue.take()) {
          connection.write(piece.bytes);
        }
      }
    });
  }
  const payloads = plumbing.BatchResponse.decode(batchOf(282)).payload;
  const socket = openSocket();
  suite.add('send of ws for each, 282 bytes', () => {
    for (let batch = 0; batch < BATCHES; batch += 1) {
      for (const payload of payloads) socket.send(payload);
    }
  });
  return suite;
}

/** Takes everything at once. */
class Nowhere extends Duplex {
  override _read(): void {}
  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done();
  }
  override _writev(_chunks: unknown, done: () => void): void {
    done();
  }
}

function batchOf(size: number): Buffer {
  const payload = Array.from({ length: BATCH }, (_, index) => Buffer.alloc(size, index));
  return Buffer.from(plumbing.BatchResponse.encode({ payload }).finish());
}

function openSocket(): WebSocket {
  const request = new IncomingMessage(new Socket());
  request.method = 'GET';
  request.headers = {
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  let opened: WebSocket | undefined;
  const server = new WebSocketServer({ noServer: true });
  server.handleUpgrade(request, new Nowhere(), Buffer.alloc(0), (socket) => {
    opened = socket;
  });
  if (opened === undefined) throw new Error('ws opens at once');
  return opened;
}
