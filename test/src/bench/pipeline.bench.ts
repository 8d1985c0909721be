/**
 * One Doppler process with its cache, loaded over mutual TLS, read by one subscriber of everything.
 *
 *     npm run bench -- pipeline --seconds 5
 *
 * For each rate: what went in and came out in a second, what was lost, and the CPU time of the
 * Doppler per envelope, from /proc, so that the load's and the reader's own work is not in it.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareCertificates } from '../pipeline.ts';
import { cpuSeconds, rssOf, settled, startDoppler, tlsFiles } from './measured-doppler.ts';
import { type LoadCommand, Worker } from './workers.ts';

const RATES = [50_000, 100_000, 200_000, 300_000, 400_000, 500_000];
const WARM_UP: LoadCommand = { perSecond: 50_000, seconds: 2 };

export async function main({ seconds }: { readonly seconds: number }): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-bench-'));
  try {
    const certificates = await prepareCertificates(folder);
    for (const shape of ['lean', 'cf'] as const) {
      await measureShape({ certificates, shape, seconds: Math.max(2, seconds) });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Measurement {
  readonly certificates: string;
  readonly shape: 'lean' | 'cf';
  readonly seconds: number;
}

async function measureShape({ certificates, shape, seconds }: Measurement): Promise<void> {
  await using doppler = await startDoppler(certificates);
  const options = {
    address: doppler.address('grpc'),
    tls: tlsFiles(certificates, 'trafficcontroller'),
    shape,
  };
  await using reader = await Worker.start<object>('read', options);
  await using loader = await Worker.start<LoadCommand>('load', options);
  await loader.ask(WARM_UP);

  for (const perSecond of RATES) {
    await settled(reader);
    const before = await reader.ask({});
    const cpuBefore = await cpuSeconds(doppler.pid);
    const { envelopes } = await loader.ask({ perSecond, seconds });
    await settled(reader);
    const cpu = (await cpuSeconds(doppler.pid)) - cpuBefore;
    const received = (await reader.ask({})).envelopes - before.envelopes;
    print({
      shape,
      perSecond,
      sent: envelopes,
      received,
      seconds,
      cpu,
      rss: await rssOf(doppler.pid),
    });
  }
}

interface Figures {
  readonly shape: string;
  readonly perSecond: number;
  readonly sent: number;
  readonly received: number;
  readonly seconds: number;
  readonly cpu: number;
  readonly rss: number;
}

function print({ shape, perSecond, sent, received, seconds, cpu, rss }: Figures): void {
  const columns = [
    `${shape}, ${perSecond}/s asked`.padEnd(24),
    `in ${Math.round(sent / seconds)}/s`.padEnd(14),
    `out ${Math.round(received / seconds)}/s`.padEnd(15),
    `lost ${sent - received}`.padEnd(14),
    `${((cpu * 1e6) / sent).toFixed(2)} CPU-µs per envelope`,
    `RSS ${Math.round(rss / 1e6)} MB`,
  ];
  process.stdout.write(`  ${columns.join('  ')}\n`);
}
