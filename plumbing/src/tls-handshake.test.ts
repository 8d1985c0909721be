import { once } from 'node:events';
import {
  type ConnectionOptions,
  connect,
  createServer,
  getCiphers,
  type TLSSocket,
} from 'node:tls';
import type * as grpc from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { Env } from './env.ts';
import { dial, listenGrpc } from './grpc.ts';
import { listenHttp } from './http.ts';
import type { Issued } from './issuer.ts';
import { koaApp } from './koa-app.ts';
import { createLogger, type Log } from './log.ts';
import { Metrics } from './metrics.ts';
import { eventually, type SpyLog, spyLog } from './testing.ts';
import { PemFolder, testAuthority, testIssue } from './testing-pki.ts';
import { readTls, type Tls, tlsSettings } from './tls.ts';

const NOW = Date.now();
const HOUR_MS = 60 * 60 * 1000;

/** The two of TLS 1.2 that are spoken, by OpenSSL's names. */
const SPOKEN = ['ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES256-GCM-SHA384'];
const AES_128 = 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256';
const OLD_CIPHERS = 'ALL@SECLEVEL=0';
const DOORS = ['gRPC', 'HTTPS', 'HTTPS with HTTP/2'] as const;

const STRANGERS: readonly (readonly [
  string,
  () => Promise<{ cert?: string | undefined; key?: string | undefined }>,
])[] = [
  ['no certificate', async () => ({ cert: undefined, key: undefined })],
  ['a certificate of another authority', () => testIssue('b', 'nozzle')],
  [
    'a certificate that expired',
    () => testIssue('a', 'nozzle', { notBefore: NOW - 2 * HOUR_MS, notAfter: NOW - HOUR_MS }),
  ],
  [
    'a certificate that is not valid yet',
    () => testIssue('a', 'nozzle', { notBefore: NOW + HOUR_MS }),
  ],
  ['a certificate for servers only', () => testIssue('a', 'nozzle', { uses: ['server'] })],
];

for (const door of DOORS) {
  test(`${door} speaks TLS 1.3 with each of its suites, and TLS 1.2 with two`, async (t) => {
    const { shake } = await serving(t, door);
    for (const suite of getCiphers().filter((name) => name.startsWith('tls_aes_'))) {
      const ciphers = suite.toUpperCase();
      if (!ciphers.includes('GCM')) continue;
      t.like(await shake({ ciphers }), { protocol: 'TLSv1.3', cipher: ciphers });
    }
    for (const ciphers of SPOKEN) {
      const spoken = await shake({ ciphers, maxVersion: 'TLSv1.2' });
      t.deepEqual(spoken, { protocol: 'TLSv1.2', cipher: ciphers });
    }
  });

  test(`${door} refuses TLS 1.0 and 1.1`, async (t) => {
    const { shake, refusals } = await serving(t, door);
    for (const version of ['TLSv1', 'TLSv1.1'] as const) {
      const old = { minVersion: version, maxVersion: version, ciphers: OLD_CIPHERS };
      await t.throwsAsync(shake(old), { message: /protocol version/ }, version);
    }
    await eventually(() => refusals() === 2);
  });

  test(`${door} refuses every other suite of TLS 1.2, with RSA and with ECDSA keys`, async (t) => {
    const rsa = await serving(t, door);
    const ecdsa = await serving(t, door, {
      server: await testIssue('a', 'doppler', { algorithm: 'ecdsa' }),
    });
    const others = getCiphers().filter(
      (name) => !name.startsWith('tls_') && !SPOKEN.includes(name.toUpperCase()),
    );
    t.true(others.length > 18);
    for (const suite of others) {
      const ciphers = `${suite.toUpperCase()}:@SECLEVEL=0`;
      await t.throwsAsync(rsa.shake({ ciphers, maxVersion: 'TLSv1.2' }), undefined, suite);
      await t.throwsAsync(ecdsa.shake({ ciphers, maxVersion: 'TLSv1.2' }), undefined, suite);
    }
    t.is((await ecdsa.shake({})).protocol, 'TLSv1.3', 'under 1.3 an ECDSA key will do');
  });

  test(`${door} has only the suite that a setting leaves, and warns of unknown names`, async (t) => {
    const env = new Env({ A: 'a', B: 'b', C: 'c', SUITES: `${AES_128}, TLS_NO_SUCH` });
    const names = { ca: 'A', cert: 'B', key: 'C', suites: 'SUITES' };
    const { suites } = tlsSettings(env, names);
    env.done();
    const { shake, log } = await serving(t, door, { ...(suites && { suites }) });
    const both = { maxVersion: 'TLSv1.2', ciphers: SPOKEN.join(':') } as const;
    t.is((await shake(both)).cipher, 'ECDHE-RSA-AES128-GCM-SHA256');
    await t.throwsAsync(shake({ ...both, ciphers: 'ECDHE-RSA-AES256-GCM-SHA384' }));
    t.is((await shake({})).protocol, 'TLSv1.3');
    t.deepEqual(log.lines[0]?.fields, { unknown: ['TLS_NO_SUCH'], allowed: [AES_128] });
  });

  for (const [what, identity] of STRANGERS) {
    test(`${door} hangs up on a client with ${what}`, async (t) => {
      const { shake, refusals, log } = await serving(t, door);
      await t.throwsAsync(shake(await identity()));
      await eventually(() => refusals() === 1);
      t.is(log.lines[0]?.fields.peer, '127.0.0.1', 'the log says whose it was');
    });
  }

  test(`${door} asks a client for a certificate of its authority and for no name`, async (t) => {
    const { shake } = await serving(t, door);
    await t.notThrowsAsync(shake(await testIssue('a', 'anybody', { uses: ['client'] })));
  });
}

test('a noisy client without a certificate does not hide why another is refused', async (t) => {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const log = createLogger('doppler', { level: 'info', format: 'json', destination });
  const { shake, refusals } = await serving(t, 'gRPC', { log });
  for (let times = 0; times < 3; times += 1) {
    await t.throwsAsync(shake({ cert: undefined, key: undefined }));
  }
  await t.throwsAsync(shake(await testIssue('b', 'nozzle')));
  await t.throwsAsync(
    shake({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: OLD_CIPHERS }),
  );
  await eventually(() => refusals() === 5);
  const reasons = lines.map((line) => (JSON.parse(line) as { reason: string }).reason);
  t.is(reasons.length, 3, 'one line for each reason');
  t.true(reasons.includes('UNABLE_TO_VERIFY_LEAF_SIGNATURE'));
});

test('mTLS has RSA keys for TLS 1.2 and insists on ALPN h2, on gRPC ports', async (t) => {
  const { shake } = await serving(t, 'gRPC');
  await t.notThrowsAsync(shake({ ALPNProtocols: ['h2'], maxVersion: 'TLSv1.2' }));
  await t.throwsAsync(shake({ ALPNProtocols: ['http/1.1'] }), { message: /application protocol/ });
});

for (const name of ['doppler', 'reverselogproxy', 'metron']) {
  test(`a client that wants ${name} is told what name the server has instead`, async (t) => {
    const { address } = await serving(t, 'gRPC', { server: await testIssue('a', 'someone-else') });
    const client = dial({ address, tls: await identityOf(t, 'nozzle'), serverName: name });
    t.teardown(() => client.close());
    const error = await t.throwsAsync(call(client));
    t.regex(error?.message ?? '', new RegExp(`Host: ${name}\\. is not in.*DNS:someone-else`));
  });
}

test('a client has no more than the two suites for a server of TLS 1.2 either', async (t) => {
  const { cert, key } = await testIssue('a', 'doppler');
  for (const [ciphers, isSpoken] of [
    ['ECDHE-RSA-AES256-GCM-SHA384', true],
    ['ECDHE-RSA-CHACHA20-POLY1305', false],
    ['ECDHE-RSA-AES128-SHA256', false],
  ] as const) {
    const server = createServer({
      cert,
      key,
      ciphers,
      maxVersion: 'TLSv1.2',
      ALPNProtocols: ['h2'],
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    server.on('connection', (socket) => t.teardown(() => socket.destroy()));
    t.teardown(() => server.close());
    const { port } = server.address() as { port: number };
    const outcome = Promise.race([
      once(server, 'secureConnection').then(() => true),
      once(server, 'tlsClientError').then(() => false),
    ]);
    const client = dial({
      address: `127.0.0.1:${port}`,
      tls: await identityOf(t, 'nozzle'),
      serverName: 'doppler',
    });
    t.teardown(() => client.close());
    client.waitForReady(Date.now() + 5000, () => undefined);
    t.is(await outcome, isSpoken, ciphers);
  }
});

type Shake = (options: ConnectionOptions) => Promise<{ protocol: string | null; cipher: string }>;

async function serving(
  t: ExecutionContext,
  door: (typeof DOORS)[number],
  options: { readonly server?: Issued; readonly suites?: Tls['suites']; readonly log?: Log } = {},
): Promise<{ address: string; shake: Shake; refusals: () => number; log: SpyLog }> {
  const log = spyLog();
  const metrics = new Metrics({ origin: 'doppler' });
  const identity = await identityOf(t, 'doppler', options.server);
  const tls: Tls = options.suites ? { ...identity, suites: options.suites } : identity;
  const common = { address: '127.0.0.1:0', tls, log: options.log ?? log, metrics, drainMs: 100 };
  const app = koaApp(log);
  const listener =
    door === 'gRPC'
      ? await listenGrpc({ ...common, services: [] })
      : await listenHttp({ ...common, app, http2: door === 'HTTPS with HTTP/2' });
  t.teardown(() => listener[Symbol.asyncDispose]());

  const ca = (await testAuthority('a')).cert;
  const proper = await testIssue('a', 'nozzle');
  const ALPNProtocols = [door === 'gRPC' ? 'h2' : 'http/1.1'];
  return {
    address: listener.address,
    shake: (given) => handshake({ ...proper, ALPNProtocols, ...given, ca, port: listener.port }),
    refusals: () => {
      const labels = { listener: door === 'gRPC' ? 'grpc' : 'http', reason: 'tls' };
      return metrics.counter('connections_refused', '', labels).value;
    },
    log,
  };
}

async function identityOf(t: ExecutionContext, name: string, issued?: Issued): Promise<Tls> {
  const folder = new PemFolder();
  t.teardown(() => folder[Symbol.dispose]());
  folder.put({ ...(issued ?? (await testIssue('a', name))), ca: (await testAuthority('a')).cert });
  return readTls(folder.files);
}

/**
 * What was agreed on. Under TLS 1.3 a server refuses a client after the client thinks that all is
 * well, so it must say something: anything that comes after the handshake will do.
 */
async function handshake(
  options: ConnectionOptions & { readonly port: number },
): Promise<{ protocol: string | null; cipher: string }> {
  const socket: TLSSocket = connect({ ...options, host: '127.0.0.1', servername: 'doppler' });
  try {
    await once(socket, 'secureConnect');
    if (socket.alpnProtocol !== 'h2') socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const gone = once(socket, 'close').then(() => []);
    const [answer] = await Promise.race([once(socket, 'data'), gone]);
    if (answer === undefined) throw new Error('the server hung up');
    return { protocol: socket.getProtocol(), cipher: socket.getCipher().name };
  } finally {
    socket.destroy();
  }
}

function call(client: grpc.Client): Promise<void> {
  const identity = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest('/t.T/Echo', identity, identity, Buffer.alloc(0), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}
