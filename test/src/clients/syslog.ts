/** A syslog receiver over TCP with octet counting (RFC 6587), noting the numbered lines it gets. */

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { numberOf } from '@standpipe/protos/testing';
import { Numbers } from '../numbers.ts';

export class SyslogReceiver implements AsyncDisposable {
  readonly numbers: Numbers = new Numbers();
  readonly messages: string[] = [];
  readonly #server: Server;
  readonly #sockets: Set<Socket> = new Set();

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => this.#take(socket));
  }

  static async listen(): Promise<SyslogReceiver> {
    const server = createServer();
    const receiver = new SyslogReceiver(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return receiver;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('it is closed');
    return `syslog://127.0.0.1:${address.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #take(socket: Socket): void {
    this.#sockets.add(socket);
    let waiting: Buffer = Buffer.alloc(0);
    socket.on('error', () => {}); // A sender that is killed resets its connection.
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (chunk) => {
      waiting = this.#messages(Buffer.concat([waiting, chunk]));
    });
  }

  /** Notes the whole messages in `bytes` and returns what is left. */
  #messages(bytes: Buffer): Buffer {
    let at = 0;
    for (;;) {
      const space = bytes.indexOf(0x20, at);
      if (space < 0) return bytes.subarray(at);
      const length = Number(bytes.toString('latin1', at, space));
      if (space + 1 + length > bytes.length) return bytes.subarray(at);
      at = space + 1 + length;
      this.#note(bytes.toString('utf8', space + 1, at));
    }
  }

  #note(message: string): void {
    this.messages.push(message);
    const text = /(line \d+)\n$/.exec(message)?.[1];
    if (text !== undefined) this.numbers.add(numberOf(Buffer.from(text)));
  }
}
