import { createLogger, run } from '@standpipe/plumbing';
import { readConfig } from './config.ts';
import { startLogCache } from './node.ts';

await run(async (stop) => startLogCache(readConfig(), createLogger('log-cache'), stop));
