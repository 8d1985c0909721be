import { run } from '@standpipe/plumbing';
import { readConfig } from './config.ts';
import { startDoppler } from './doppler.ts';

await run(async (stop) => startDoppler(readConfig(), undefined, stop));
