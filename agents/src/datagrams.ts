/**
 * A UDP socket that hands each datagram to a taker.
 *
 * The kernel keeps what has not been read yet in the socket's buffer, of which we ask for 4 MiB;
 * when that is full it drops datagrams, and only the kernel counts them. Nothing else waits here.
 */

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { announce, formatAddress, ListenError, type Log } from '@standpipe/plumbing';

const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

export interface DatagramsOptions {
  readonly host: string;
  readonly port: number;
  readonly take: (datagram: Buffer) => void;
  readonly log: Log;
}

export class Datagrams implements AsyncDisposable {
  /** host:port as bound. */
  readonly address: string;
  readonly port: number;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    const { address, port } = socket.address();
    this.address = formatAddress({ host: address, port });
    this.port = port;
    this.#socket = socket;
  }

  /** Rejects with a ListenError that names the address. */
  static async open({ host, port, take, log }: DatagramsOptions): Promise<Datagrams> {
    const socket = createSocket({
      type: isIPv6(host) ? 'udp6' : 'udp4',
      recvBufferSize: RECEIVE_BUFFER_BYTES,
    });
    socket.on('message', take);
    try {
      socket.bind(port, host);
      await once(socket, 'listening');
    } catch (error) {
      socket.close();
      throw new ListenError(formatAddress({ host, port }), reasonOf(error), { cause: error });
    }
    socket.on('error', (error) => {
      log.limited('udp', 'warn', { error }, 'the UDP socket reported an error');
    });
    const datagrams = new Datagrams(socket);
    announce('udp', datagrams.address);
    return datagrams;
  }

  /** Takes no more in. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await once(this.#socket, 'close');
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException; // What a socket emits.
  return code === 'EADDRINUSE' ? 'the port is in use (EADDRINUSE)' : message;
}
