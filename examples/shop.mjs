// A small shop: a web service as one writes them for Cloud Foundry. It listens on $PORT, logs one
// line per request to stdout and errors to stderr, sends its metrics to the statsd injector, and
// finishes what it has begun when it is asked to stop. Some visitors come by themselves
// (visitors.mjs); be another one: curl http://127.0.0.1:$PORT/
//
//     PORT=8095 STATSD_PORT=8125 VISITORS_PER_SECOND=2 node shop.mjs

import { createServer } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { StatsD } from 'hot-shots';
import { Visitors } from './visitors.mjs';

const statsd = new StatsD({
  host: '127.0.0.1',
  port: Number(process.env.STATSD_PORT || 8125),
  prefix: 'shop.', // The injector takes what stands before the first dot as the source id.
  globalTags: { instance: process.env.CF_INSTANCE_INDEX || '0' },
  maxBufferSize: 1400,
  errorHandler: (error) => console.error(`statsd: ${error.message}`),
});

const routes = {
  '/': ['home', home],
  '/checkout': ['checkout', checkout],
  '/slow': ['slow', slow],
  '/broken': ['broken', broken],
};

async function home() {
  const links = Object.keys(routes).map((path) => `<li><a href="${path}">${path}</a></li>`);
  return `<!doctype html><title>Shop</title><h1>Shop</h1><ul>${links.join('')}</ul>\n`;
}

async function checkout() {
  await wait(20 + Math.random() * 60); // Somebody else's payment service.
  return `<!doctype html><title>Shop</title><p>Thank you. Your order has number ${Date.now()}.\n`;
}

async function slow() {
  await wait(500 + Math.random() * 1000);
  return '<!doctype html><title>Shop</title><p>This page is looked up on every shelf.\n';
}

async function broken() {
  throw new Error('the price of item 13 is not a number');
}

const server = createServer(async (request, response) => {
  const startedAt = performance.now();
  const path = request.url.split('?')[0];
  const [route, page] = Object.hasOwn(routes, path) ? routes[path] : ['other'];
  let [status, body] = [404, 'There is no such page.\n'];
  try {
    if (page) [status, body] = [200, await page()];
  } catch (error) {
    [status, body] = [500, 'Something is broken here.\n'];
    console.error(`${request.method} ${path} failed: ${error.stack}`);
  }
  const type = page && status === 200 ? 'text/html' : 'text/plain';
  response.writeHead(status, { 'content-type': `${type}; charset=utf-8` }).end(body);

  const ms = Number((performance.now() - startedAt).toFixed(3));
  const { method, httpVersion, headers } = request;
  const agent = headers['user-agent'] || '-';
  console.log(
    `127.0.0.1 - - [${new Date().toISOString()}] "${method} ${path} HTTP/${httpVersion}" ${status} ` +
      `${Buffer.byteLength(body)} "${agent}" ${(ms / 1000).toFixed(3)}`,
  );
  statsd.increment('requests', 1, { route, status: String(status) });
  statsd.timing('latency', ms, { route });
});

server.on('error', (error) => {
  console.error(`cannot listen: ${error.message}`);
  process.exit(1);
});

server.listen(Number(process.env.PORT || 8095), '127.0.0.1', () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  console.log(`listening on ${url}`);
  const visitors = new Visitors(url, Number(process.env.VISITORS_PER_SECOND || 2));
  const counting = setInterval(() => statsd.gauge('visitors', visitors.inside), 1000);

  process.once('SIGTERM', async () => {
    console.log('closing: whoever is in the shop may finish');
    clearInterval(counting);
    await visitors.leave();
    server.close(() => {
      console.log('closed');
      statsd.close();
    });
  });
});
