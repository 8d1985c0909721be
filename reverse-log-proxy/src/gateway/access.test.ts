import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Metrics } from '@standpipe/plumbing';
import { spyLog } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import { CloudAccess } from './access.ts';
import { gatewayMetrics } from './metrics.ts';

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

const SPELLINGS = ['bearer good', 'Bearer good', 'BEARER   good ', 'good', ' good ', 'bearergood'];

for (const spelling of SPELLINGS) {
  test(`the token is found in ${JSON.stringify(spelling)}`, async (t) => {
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
  test(`G6: a source that is no GUID is refused: ${JSON.stringify(source)}`, async (t) => {
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

for (const body of ['null', '[]', '{"scope":"logs.admin"}', '7']) {
  test(`UAA's answer ${body} makes nobody an admin`, async (t) => {
    const { access } = await started(t, { uaaBody: body });
    t.false(await access.allows('bearer good', []));
  });
}

test('G7: no answer is a no', async (t) => {
  const { access, close } = await started(t, { scopes: ['logs.admin'] });
  close();
  t.false(await access.allows('bearer good', []));
});

interface Asked {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

interface Answers {
  readonly scopes?: readonly string[];
  readonly uaaStatus?: number;
  readonly uaaBody?: string;
}

/** Access by a UAA with these answers and a Cloud Controller that knows an app and a service. */
async function started(t: ExecutionContext, answers: Answers) {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const path = request.url ?? '';
      asked.push({ path, authorization: request.headers.authorization, body });
      if (path === '/check_token') {
        const scope = answers.scopes ?? ['openid'];
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
  const access = new CloudAccess({
    config: {
      uaaUrl: url,
      uaaCa: undefined,
      clientId: 'client',
      clientSecret: 'secret',
      internalUrl: url,
      internalTls: {},
      internalName: undefined,
      externalUrl: `${url}/`,
      skipCertVerify: false,
    },
    metrics: gatewayMetrics(new Metrics({ origin: 'test' })),
    log,
  });
  t.teardown(() => access[Symbol.dispose]());
  return { access, asked, log, close };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}

function pathsOf(asked: readonly Asked[]): string[] {
  return asked.map(({ path }) => path);
}
