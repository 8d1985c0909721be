/** Sends statsd counters, many lines in a datagram, at a steady rate of lines. */

import { createSocket } from 'node:dgram';
import type { LoadCommand, StatsdOptions } from '../worker.ts';
import { paced } from './paced.ts';
import { fail, optionsOf, serve } from './serve.ts';

const { port, perDatagram } = optionsOf<StatsdOptions>();
const lines = Array.from({ length: perDatagram }, (_, index) => `shop.requests_${index}:1|c`);
const datagram = Buffer.from(lines.join('\n'));
const socket = createSocket('udp4');
socket.connect(port, '127.0.0.1', () => {
  socket.on('error', fail('the socket'));
  serve<LoadCommand>(async (command) => ({
    envelopes: await paced(command, perDatagram, () => {
      socket.send(datagram);
      return undefined;
    }),
  }));
});
