/**
 * UAA and Cloud Controller of a deployment, for one test: the platform behind TLS.
 *
 *     UAA                https    who it is, by a certificate of the authority
 *     Cloud Controller   https    asks for a certificate, and is `cloud-controller-ng.service.cf.internal`
 *     the same, external http     as the original's port 9022
 */

import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type TLSSocket } from 'node:tls';
import { ensureCertificates } from '@standpipe/plumbing/authority';
import type { ExecutionContext } from 'ava';
import { stringify } from 'yaml';
import { ask } from '../clients/http.ts';
import type { Originals } from './originals.ts';
import { type Authorities, CLOUD_CONTROLLER, platform } from './specs.ts';

export interface TestAuthorities extends Authorities {
  /** A new access token of a user, whose password is his name. */
  readonly tokenOf: (user: string) => Promise<string>;
  /** The names in the certificates of those who asked Cloud Controller. */
  readonly askers: readonly string[];
}

/** Starts them; the platform knows what `model` says, and clients `cf` and `doppler` besides. */
export async function authorities(
  t: ExecutionContext,
  deployment: Originals,
  model: object,
): Promise<TestAuthorities> {
  const { certificates } = deployment.options;
  await ensureCertificates(certificates, ['uaa', CLOUD_CONTROLLER]);
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-authorities-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'platform.yml');
  await writeFile(file, stringify({ ...model, clients: CLIENTS }));

  const managed = await deployment.start(platform(file));
  const address = managed.address('http');
  const askers: string[] = [];
  const uaa = await terminated(t, deployment, { name: 'uaa', address });
  const cloudController = await terminated(t, deployment, {
    name: CLOUD_CONTROLLER,
    address,
    onPeer: (name) => askers.push(name),
  });
  return {
    uaa,
    cloudController,
    cloudControllerExternal: `http://${address}`,
    client: 'doppler',
    secret: 'doppler',
    askers,
    async tokenOf(user) {
      const { body } = await ask(`http://${address}/oauth/token`, {
        headers: { Authorization: `Basic ${Buffer.from('cf:').toString('base64')}` },
        body: `grant_type=password&username=${user}&password=${user}`,
      });
      return JSON.parse(body).access_token;
    },
  };
}

const CLIENTS = [
  {
    id: 'cf',
    secret: '',
    grant_types: ['password'],
    scopes: ['cloud_controller.read', 'cloud_controller.admin', 'doppler.firehose', 'logs.admin'],
  },
  {
    id: 'doppler',
    secret: 'doppler',
    grant_types: ['client_credentials'],
    authorities: ['uaa.resource'],
  },
];

interface Termination {
  readonly name: string;
  /** Where what comes is handed on to, without TLS. */
  readonly address: string;
  /** With it a certificate is asked for, and this hears the name in it. */
  readonly onPeer?: (name: string) => void;
}

/** A port that takes TLS off; resolves to its URL. */
async function terminated(
  t: ExecutionContext,
  { files }: Originals,
  { name, address, onPeer }: Termination,
): Promise<string> {
  const { ca, cert, key } = files(name);
  const server = createServer({
    ca: await readFile(ca),
    cert: await readFile(cert),
    key: await readFile(key),
    requestCert: onPeer !== undefined,
    rejectUnauthorized: onPeer !== undefined,
  });
  const open = new Set<TLSSocket>();
  server.on('secureConnection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    onPeer?.(String(socket.getPeerCertificate().subject?.CN));
    const { hostname, port } = new URL(`http://${address}`);
    const inside = connect(Number(port), hostname);
    for (const [from, to] of [[socket, inside] as const, [inside, socket] as const]) {
      from.on('error', () => to.destroy()).pipe(to);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`; // It listens on TCP.
}
