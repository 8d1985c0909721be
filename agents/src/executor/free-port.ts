/**
 * A port that a program can listen on, chosen by the kernel.
 *
 * Between our letting go of it and the program's taking it, somebody else may; the program then
 * fails, and is started again with another port. The kernel hands out free ports by turns, so this
 * is rare.
 */

import { once } from 'node:events';
import { createServer } from 'node:net';

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  // A TCP server that listens has an address with a port.
  return (address as { port: number }).port;
}
