import { run } from '@standpipe/plumbing';
import { readConfig } from './config.ts';
import { startExecutor } from './executor.ts';

await run(async () => startExecutor(readConfig()));
