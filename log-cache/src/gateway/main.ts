import { run } from '@standpipe/plumbing';
import { readConfig } from './config.ts';
import { startGateway } from './gateway.ts';

await run(async () => startGateway(readConfig()));
