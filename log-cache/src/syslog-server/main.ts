import { run } from '@standpipe/plumbing';
import { readConfig } from './config.ts';
import { startSyslogServer } from './syslog-server.ts';

await run(async () => startSyslogServer(readConfig()));
