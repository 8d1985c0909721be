/** What settings of the original do to a running Doppler. */

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect as connectTls } from 'node:tls';
import { testTls } from '@standpipe/plumbing/testing';
import test from 'ava';
import { startedDoppler } from './testing-doppler.ts';

const AES_128 = 'ECDHE-RSA-AES128-GCM-SHA256';
const AES_256 = 'ECDHE-RSA-AES256-GCM-SHA384';

test('ROUTER_CIPHER_SUITES narrows TLS 1.2 to the suites it names; unknown names are passed over', async (t) => {
  const both = await startedDoppler(t);
  t.is(await suiteWith(both.doppler.grpcPort, AES_256), AES_256);
  t.is(await suiteWith(both.doppler.grpcPort, AES_128), AES_128);

  const narrow = await startedDoppler(t, {
    ROUTER_CIPHER_SUITES: 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_NO_SUCH',
  });
  t.is(await suiteWith(narrow.doppler.grpcPort, AES_128), AES_128);
  await t.throwsAsync(suiteWith(narrow.doppler.grpcPort, AES_256));
  t.true(narrow.log.lines.some(({ text }) => text.includes('unknown names are passed over')));
});

test('ROUTER_PPROF_PORT is where profiles are served, on loopback', async (t) => {
  const { doppler } = await startedDoppler(t, { ROUTER_PPROF_PORT: '0' });
  const answer = await fetch(`http://127.0.0.1:${doppler.pprofPort}/debug/pprof/`);
  t.is(answer.status, 200);
  t.regex(await answer.text(), /debug\/pprof\/profile\?seconds=N/);
});

async function suiteWith(port: number, ciphers: string): Promise<string> {
  const { metron } = await testTls('metron');
  const [ca, cert, key] = await Promise.all(
    [metron.ca, metron.cert, metron.key].map((file) => readFile(file)),
  );
  const socket = connectTls({
    ...{ port, host: '127.0.0.1', servername: 'doppler', ca, cert, key, ciphers },
    ALPNProtocols: ['h2'],
    maxVersion: 'TLSv1.2',
  });
  try {
    await once(socket, 'secureConnect');
    return socket.getCipher().name;
  } finally {
    socket.destroy();
  }
}
