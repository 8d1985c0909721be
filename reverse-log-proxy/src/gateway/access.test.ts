import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Metrics, readTls } from '@standpipe/plumbing';
import { spyLog, testTls } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { CloudAccess } from './access.ts';
import type { AccessConfig } from './config.ts';
import { gatewayMetrics } from './metrics.ts';
import { started as startedGateway } from './testing.ts';

const APP = '73467cc3-261a-472e-80e8-d6eadfd30d98';
const SERVICE = 'b3015d69-09cd-476d-aace-ad2d824d5ab7';
const FOREIGN = '954f61c4-ac84-44be-9217-cdfa3117fb41';

for (const scope of ['doppler.firehose', 'logs.admin']) {
  test(`G6: the scope ${scope} may read everything, GUID or not, and Cloud Controller is not asked`, async (t) => {
    const { access, asked } = await started(t, { scopes: ['openid', scope] });
    t.true(await access.allows('bearer good', []));
    t.true(await access.allows('bearer good', ['not a guid', FOREIGN]));
    t.deepEqual(pathsOf(asked), ['/check_token', '/check_token']);
  });
}

const SPELLINGS = [
  'bearer good',
  'Bearer good',
  'BEARER   good ',
  'good',
  ' good ',
  'bearergood',
  ' bearer good',
];

for (const spelling of SPELLINGS) {
  test(`the token is found in any spelling:  ${JSON.stringify(spelling)}`, async (t) => {
    const { access, asked } = await started(t, { scopes: ['logs.admin'] });
    t.true(await access.allows(spelling, []));
    t.is(asked[0]?.body, 'token=good');
    t.is(asked[0]?.authorization, `Basic ${Buffer.from('client:secret').toString('base64')}`);
  });
}

test('G6: without a header nobody is asked, and the answer is no', async (t) => {
  const { access, asked } = await started(t, { scopes: ['logs.admin'] });
  for (const header of [undefined, '', 'bearer', 'bearer '])
    t.false(await access.allows(header, []));
  t.is(asked.length, 0);
});

test('G6: others may read their own sources, all of which must be theirs', async (t) => {
  const { access } = await started(t, {});
  t.true(await access.allows('bearer mine', [APP]));
  t.true(await access.allows('bearer mine', [APP, APP.toUpperCase()]));
  t.false(await access.allows('bearer mine', [APP, FOREIGN]));
  t.false(await access.allows('bearer mine', []));
});

for (const source of ['not-a-guid', `${APP}/../x`, '', `${APP} `]) {
  test(`G6: a source that is no GUID is refused, and nobody is asked about it: ${JSON.stringify(source)}`, async (t) => {
    const { access, asked } = await started(t, {});
    t.false(await access.allows('bearer mine', [source]));
    t.deepEqual(pathsOf(asked), ['/check_token']);
  });
}

test('G7: Cloud Controller is asked at both addresses; a service instance counts as yes', async (t) => {
  const { access, asked } = await started(t, {});
  t.true(await access.allows('bearer mine', [SERVICE]));
  t.deepEqual(pathsOf(asked).slice(1), [
    `/internal/v4/log_access/${SERVICE}`,
    `/v3/service_instances/${SERVICE}`,
  ]);
  t.is(asked[1]?.authorization, 'bearer mine');
});

test('UAA may answer with an error, as long as it answers in JSON', async (t) => {
  const { access } = await started(t, { uaaStatus: 400, uaaBody: '{"error":"invalid_token"}' });
  t.false(await access.allows('bearer bad', []));
  t.true(await access.allows('bearer mine', [APP]));
});

test('a scope in an answer that is no 200 makes nobody an admin', async (t) => {
  const { access } = await started(t, { uaaStatus: 401, scopes: ['logs.admin'] });
  t.false(await access.allows('bearer good', []));
});

for (const body of ['<html>', '']) {
  test(`an answer of UAA that is no JSON is a no: ${JSON.stringify(body)}`, async (t) => {
    const { access, log } = await started(t, { uaaBody: body });
    t.false(await access.allows('bearer mine', [APP]));
    t.true(log.lines.some(({ text }) => text.includes('got no answer')));
  });
}

for (const body of ['null', '{}', '{"scope":null}', '{"scope":[]}', '{"scope":["cloud.read"]}']) {
  test(`UAA's answer ${body} makes nobody an admin, and Cloud Controller is asked`, async (t) => {
    const { access } = await started(t, { uaaBody: body });
    t.false(await access.allows('bearer good', []));
    t.true(await access.allows('bearer good', [APP]));
  });
}

for (const body of ['[]', '7', '"x"', '{"scope":"logs.admin"}', '{"scope":["logs.admin",1]}']) {
  test(`UAA's answer ${body}, which the original cannot read, is a no`, async (t) => {
    const { access } = await started(t, { uaaBody: body });
    t.false(await access.allows('bearer good', [APP]));
  });
}

test('G7: no answer of UAA is a no', async (t) => {
  const { access, close } = await started(t, { scopes: ['logs.admin'] });
  close();
  t.false(await access.allows('bearer good', []));
});

test('G7: no answer of Cloud Controller is a no', async (t) => {
  const { access } = await started(t, {}, { internalUrl: 'http://127.0.0.1:1' });
  t.false(await access.allows('bearer mine', [APP]));
});

test('G7: Cloud Controller is spoken to with a certificate, and must have the name that is set', async (t) => {
  const { cc, gateway } = await testTls('cc', 'gateway');
  const names: (string | undefined)[] = [];
  const { ca, cert, key } = readTls(cc);
  const server = createHttps({ ca, cert, key, requestCert: true }, ({ socket }, response) => {
    names.push((socket as TLSSocket).getPeerCertificate().subjectaltname);
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const tls = {
    internalUrl: `https://127.0.0.1:${port}`,
    internalCa: gateway.ca,
    internalPair: gateway,
  };
  const { access } = await started(t, {}, { ...tls, internalName: 'cc' });
  t.true(await access.allows('bearer mine', [FOREIGN]));
  t.regex(names[0] ?? '', /DNS:gateway/);

  const { access: misled } = await started(t, {}, { ...tls, internalName: 'other' });
  t.false(await misled.allows('bearer mine', [FOREIGN]));
  const { access: distrusting } = await started(
    t,
    {},
    { internalUrl: tls.internalUrl, internalName: 'cc' },
  );
  t.false(await distrusting.allows('bearer mine', [FOREIGN]));
});

const HTTP_ORDER: readonly (readonly [string, string, string | undefined, number])[] = [
  ['GET', '?log', undefined, 404],
  ['GET', '?log', 'bearer user', 404],
  ['GET', '', 'bearer user', 404],
  ['POST', '?log', 'bearer user', 404],
  ['GET', '?log&source_id=not-a-guid', 'bearer user', 404],
  ['GET', `?log&source_id=${FOREIGN}`, 'bearer user', 404],
  ['POST', '', 'bearer admin', 405],
  ['GET', '', 'bearer admin', 400],
  ['GET', `?source_id=${APP}`, 'bearer user', 400],
  ['GET', `?log&source_id=${APP}`, 'bearer user', 200],
  ['GET', `?log&source_id=${APP}`, 'user', 200],
  ['GET', '?log&source_id=not-a-guid', 'admin', 200],
  ['GET', '?log', 'beareradmin', 200],
];

for (const [method, query, authorization, status] of HTTP_ORDER) {
  const who = authorization ?? 'nobody';
  test(`G6: ${method} /v2/read${query} by ${who} is ${status}: access, method, query, stream`, async (t) => {
    const { config } = await started(t, { admins: ['admin'] });
    const { gateway, proxy, metric } = await startedGateway(t, { access: config });
    const response = await fetch(`http://${gateway.address}/v2/read${query}`, {
      method,
      headers: authorization === undefined ? {} : { authorization },
    });
    t.is(response.status, status);
    t.is(proxy.requests.length, status === 200 ? 1 : 0);
    t.is(metric('refused'), status === 200 ? 0 : 1);
    if (status === 404) {
      t.is(await response.text(), '{"message":"resource not found","error":"not_found"}\n\n');
    } else await response.body?.cancel();
  });
}

interface Asked {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

interface Answers {
  readonly scopes?: readonly string[];
  readonly uaaStatus?: number;
  readonly uaaBody?: string;
  /** Tokens that have the scope of an admin. */
  readonly admins?: readonly string[];
}

/** Access by a UAA with these answers and a Cloud Controller that knows an app and a service. */
async function started(
  t: ExecutionContext,
  answers: Answers,
  settings: Partial<AccessConfig> = {},
) {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const path = request.url ?? '';
      asked.push({ path, authorization: request.headers.authorization, body });
      if (path === '/check_token') {
        const isAdmin = answers.admins?.some((token) => body === `token=${token}`);
        const scope = answers.scopes ?? ['openid', ...(isAdmin ? ['logs.admin'] : [])];
        response.writeHead(answers.uaaStatus ?? 200);
        response.end(answers.uaaBody ?? JSON.stringify({ scope }));
        return;
      }
      const isKnown =
        path.toLowerCase() === `/internal/v4/log_access/${APP}` ||
        path === `/v3/service_instances/${SERVICE}`;
      response.writeHead(isKnown ? 200 : 404).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  t.teardown(close);
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const log = spyLog();
  const config: AccessConfig = {
    uaaUrl: url,
    uaaCa: undefined,
    clientId: 'client',
    clientSecret: 'secret',
    internalUrl: url,
    internalCa: undefined,
    internalPair: undefined,
    internalName: undefined,
    externalUrl: `${url}/`,
    skipCertVerify: false,
    ...settings,
  };
  const access = new CloudAccess({
    config,
    metrics: gatewayMetrics(new Metrics({ origin: 'test' })),
    log,
  });
  t.teardown(() => access[Symbol.dispose]());
  return { access, asked, log, close, config };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}

function pathsOf(asked: readonly Asked[]): string[] {
  return asked.map(({ path }) => path);
}
