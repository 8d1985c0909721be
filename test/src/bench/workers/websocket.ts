/**
 * Stands in for a nozzle: one websocket of the traffic controller, whose messages are counted and
 * not looked at. Each is one envelope.
 */

import net from 'node:net';
import type { WebSocketOptions } from '../worker.ts';
import { FrameCounter } from './frame-counter.ts';
import { fail, optionsOf, serve } from './serve.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const READ_BYTES = 256 * 1024;

const { address, path } = optionsOf<WebSocketOptions>();
const [host = '', port] = address.split(':');
const frames = new FrameCounter();
let head = '';
let isOpen = false;

const buffer = Buffer.alloc(READ_BYTES);
const socket = net.connect({ host, port: Number(port), onread: { buffer, callback: take } });
socket.on('error', fail('the websocket'));
socket.on('end', () => fail('the websocket')(new Error('the server hung up')));
socket.write(
  `GET ${path} HTTP/1.1\r\nHost: ${address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`,
);

function take(length: number): boolean {
  if (isOpen) frames.take(buffer, 0, length);
  else shake(length);
  return true;
}

/** Reads the answer to the handshake; what follows it in the same packet is frames already. */
function shake(length: number): void {
  const before = head.length;
  head += buffer.toString('latin1', 0, length);
  const end = head.indexOf('\r\n\r\n');
  if (end < 0) return;
  if (!head.startsWith('HTTP/1.1 101')) fail('the handshake')(new Error(head.slice(0, end)));
  isOpen = true;
  frames.take(buffer, end + 4 - before, length);
  serve(() => ({ envelopes: frames.messages }));
}
