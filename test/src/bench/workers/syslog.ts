/** Stands in for a syslog server: counts the messages of every connection by their last byte. */

import net, { type AddressInfo } from 'node:net';
import { serve } from './serve.ts';

/** A log message ends with a line feed and has no other. */
const LINE_FEED = 0x0a;

let envelopes = 0;
const server = net.createServer((socket) => {
  socket.on('error', () => undefined); // The adapter has left.
  socket.on('data', (bytes) => {
    for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) {
      envelopes += 1;
    }
  });
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo; // It is no pipe.
  serve(() => ({ envelopes }), { envelopes, address: `127.0.0.1:${port}` });
});
