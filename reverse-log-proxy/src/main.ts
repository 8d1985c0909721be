import { run } from '@standpipe/plumbing';
import { readConfig } from './config.ts';
import { startReverseLogProxy } from './proxy.ts';

await run(async () => startReverseLogProxy(readConfig()));
