import { run } from '@standpipe/plumbing';
import { startAdapter } from './adapter.ts';
import { readConfig } from './config.ts';

await run(async () => startAdapter(readConfig()));
