import { run } from '@standpipe/plumbing';
import { readConfig } from './config.ts';
import { startMetron } from './metron.ts';

await run(async () => startMetron(readConfig()));
