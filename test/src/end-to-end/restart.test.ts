/** A Doppler that is started again has the logs that it had, each once and in its order. */

import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '@standpipe/plumbing/testing';
import test, { type ExecutionContext } from 'ava';
import type { IngressCaller } from '../clients/ingress.ts';
import { readRest } from '../clients/readers.ts';
import { type LoneDoppler, startLoneDoppler } from '../lone-doppler.ts';
import { page, sumOf } from '../start/rates.ts';

const SOURCE = 'app';

test.serial('a Doppler that drains and is started again has what it had', async (t) => {
  const { doppler, send, held, lines } = await startDoppler(t, {});
  for (let n = 0; n < 3000; n += 100) await send(range(n, n + 100));
  const before = await held();
  t.deepEqual(before.missing(3000), []);
  await doppler.stop();
  t.is(doppler.exitCode, 0);

  await doppler.start();
  const after = await held();
  t.deepEqual(after.missing(3000), []);
  t.deepEqual(after.repeated(), []);
  t.is(after.size, 3000);
  const bound = lines.findLastIndex((line) => line.startsWith('grpc bound to:'));
  const restored = lines.findLastIndex((line) => line.includes('the log cache has what it had'));
  t.true(restored < bound, 'it serves only once it has it');
  await send(range(3000, 3010));
  t.deepEqual((await held()).missing(3010), []);
});

test.serial('a Doppler that is killed has what its journal had, once', async (t) => {
  const { doppler, send, held } = await startDoppler(t, { LOG_CACHE_JOURNAL: 'true' });
  let sent = 0;
  for (let kill = 1; kill <= 3; kill += 1) {
    for (let batch = 0; batch < 10; batch += 1) {
      await send(range(sent, sent + 50));
      sent += 50;
    }
    await eventually(async () => {
      return sumOf(await page(doppler), 'log_cache_journal_written') >= 500;
    });
    // What is sent at the last moment may be lost, but nothing of it comes out of its order.
    await send([1_000_000 + kill]);
    await doppler.kill();
    await doppler.start();
    const after = await held();
    t.deepEqual(after.missing(sent), [], `after kill ${kill}`);
    t.deepEqual(after.repeated(), [], `after kill ${kill}`);
  }
  await doppler.stop();
  await doppler.start();
  t.deepEqual((await held()).missing(sent), [], 'an orderly end after that keeps it, too');
});

// While it takes envelopes in and writes snapshots of a cache so small that it is full.
test.serial(
  'a Doppler that is killed under load has all that its journal had, without a hole',
  async (t) => {
    const settings = { LOG_CACHE_JOURNAL: 'true', MEMORY_LIMIT_BYTES: String(2 ** 19) };
    const { doppler, caller } = await startDoppler(t, settings);
    for (let kill = 1; kill <= 3; kill += 1) {
      const source = `load ${kill}`;
      const load = sendAll(caller(), source);
      const snapshots = async () => sumOf(await page(doppler), 'log_cache_snapshots');
      await eventually(async () => (await snapshots()) >= 1, { timeoutMs: 60_000 });
      const began = load.sent;
      await eventually(() => load.sent > began + 500 * kill);
      const written = sumOf(await page(doppler), 'log_cache_journal_written');
      await doppler.kill();
      const sent = await load.ended;
      await doppler.start();

      const after = await readRest(`http://${doppler.address('http')}`, source);
      t.deepEqual(after.repeated(), [], `after kill ${kill}`);
      const gone = after.missing(sent);
      // What has expired are the first; often, nothing is lost.
      const expired = gone.findIndex((number, index) => number !== index);
      const lost = expired === -1 ? [] : gone.slice(expired);
      t.true(after.size > 0);
      t.true(
        (lost[0] ?? sent) >= written,
        `kill ${kill}: ${lost[0]} is lost, ${written} were written`,
      );
      t.deepEqual(lost, range(sent - lost.length, sent), 'only the last are lost');
    }
  },
);

test.serial('a Doppler starts with a torn snapshot, tells of it and sets it aside', async (t) => {
  const { doppler, send, held, lines, folder } = await startDoppler(t, {});
  await send(range(0, 10));
  await doppler.stop();
  await writeFile(join(folder, 'snapshot'), 'no snapshot at all, whatever it is');
  await doppler.start();
  t.is((await held()).size, 0);
  t.true((await readdir(folder)).includes('snapshot.foreign'));
  t.true(lines.some((line) => line.includes('could not be read whole')));
});

/** Sends numbers to a source, a hundred at a time, until the other end is gone. */
function sendAll(
  caller: IngressCaller,
  source: string,
): { readonly sent: number; readonly ended: Promise<number> } {
  const load = { sent: 0, ended: Promise.resolve(0) };
  const run = async (): Promise<number> => {
    using open = caller;
    try {
      for (;;) {
        await open.send(source, range(load.sent, load.sent + 100));
        load.sent += 100;
      }
    } catch {
      return load.sent + 100; // The last may have come.
    }
  };
  load.ended = run();
  return load;
}

async function startDoppler(
  t: ExecutionContext,
  env: Readonly<Record<string, string>>,
): Promise<
  LoneDoppler & {
    send(numbers: readonly number[]): Promise<void>;
    held(): ReturnType<typeof readRest>;
  }
> {
  const lone = await startLoneDoppler(t, { keeps: true, env });
  return {
    ...lone,
    async send(numbers) {
      using caller = lone.caller();
      await caller.send(SOURCE, numbers);
    },
    held: () => readRest(`http://${lone.doppler.address('http')}`, SOURCE),
  };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
