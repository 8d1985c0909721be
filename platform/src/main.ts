import { run } from '@standpipe/plumbing';
import { readConfig } from './config.ts';
import { startPlatform } from './platform.ts';

await run(async () => startPlatform(readConfig()));
