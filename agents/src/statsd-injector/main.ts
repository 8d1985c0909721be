import { run } from '@standpipe/plumbing';
import { readConfig } from './config.ts';
import { startStatsdInjector } from './statsd-injector.ts';

await run(async () => startStatsdInjector(readConfig()));
