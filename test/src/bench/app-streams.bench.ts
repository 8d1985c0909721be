/**
 * What a Doppler pays for app streams of one source each, beside what one firehose costs it.
 *
 *     npm run bench -- app-streams --seconds 5
 *
 * The load is the worst there is for app streams: each batch of 100 has a line of each of 100
 * sources, so that nothing in it is for the same stream. All streams are on one connection, as the
 * traffic controller's are. For each reader: what came out in a second, what was lost, and the CPU
 * time of the Doppler for each envelope that went in.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareCertificates } from '../pipeline.ts';
import { cpuSeconds, settled, startDoppler, tlsFiles } from './measured-doppler.ts';
import { type LoadCommand, type Reads, SOURCES, Worker } from './workers.ts';

const RATES = [10_000, 50_000];
const WARM_UP: LoadCommand = { perSecond: 50_000, seconds: 3 };
const APP_STREAMS: readonly (number | undefined)[] = [undefined, 100, 1000];

export async function main({ seconds }: { readonly seconds: number }): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'standpipe-bench-'));
  try {
    const certificates = await prepareCertificates(folder);
    for (const protocol of ['v2', 'v1'] as const) {
      for (const appStreams of APP_STREAMS) {
        const reads = appStreams === undefined ? { protocol } : { protocol, appStreams };
        await measure(certificates, reads, Math.max(2, seconds));
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(certificates: string, reads: Reads, seconds: number): Promise<void> {
  await using doppler = await startDoppler(certificates);
  const options = {
    address: doppler.address('grpc'),
    tls: tlsFiles(certificates, 'trafficcontroller'),
    shape: 'lean' as const,
    reads,
  };
  await using reader = await Worker.start<object>('read', options);
  await using loader = await Worker.start<LoadCommand>('load', options);
  await loader.ask(WARM_UP);

  // A thousand streams read each source ten times.
  const copies = Math.max(1, (reads.appStreams ?? 0) / SOURCES);
  for (const perSecond of RATES) {
    await settled(reader);
    const before = await reader.ask({});
    const cpuBefore = await cpuSeconds(doppler.pid);
    const { envelopes } = await loader.ask({ perSecond, seconds });
    await settled(reader);
    const cpu = (await cpuSeconds(doppler.pid)) - cpuBefore;
    const received = (await reader.ask({})).envelopes - before.envelopes;
    const columns = [
      `${reads.protocol}, ${reads.appStreams ? `${reads.appStreams} app streams` : '1 firehose'}`.padEnd(
        22,
      ),
      `in ${Math.round(envelopes / seconds)}/s`.padEnd(12),
      `out ${Math.round(received / seconds)}/s`.padEnd(13),
      `lost ${envelopes * copies - received}`.padEnd(12),
      `${((cpu * 1e6) / envelopes).toFixed(2)} CPU-µs per envelope`,
    ];
    process.stdout.write(`  ${columns.join('  ')}\n`);
  }
}
