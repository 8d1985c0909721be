import { Worker } from 'node:worker_threads';
import test from 'ava';
import { cpuSeconds } from './proc.ts';

const HALF_A_SECOND_MICROS = 500_000;
const BUSY = `
  const before = process.cpuUsage();
  for (;;) {
    const { user, system } = process.cpuUsage(before);
    if (user + system > ${HALF_A_SECOND_MICROS}) break;
  }
`;

test('the time of a thread that has ended counts still, and as the process counts it itself', async (t) => {
  const before = await cpuSeconds(process.pid);
  const worker = new Worker(BUSY, { eval: true });
  await new Promise((resolve) => worker.once('exit', resolve));
  const used = (await cpuSeconds(process.pid)) - before;
  t.true(used > 0.45, `${used} s`);
  const { user, system } = process.cpuUsage();
  const own = (user + system) / 1e6;
  t.true(Math.abs((await cpuSeconds(process.pid)) - own) < 0.1 * own, `${own} s by its own count`);
});
