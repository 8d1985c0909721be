import { run } from '@standpipe/plumbing';
import { readConfig } from './config.ts';
import { startTrafficController } from './traffic-controller.ts';

await run(async () => startTrafficController(readConfig()));
