export { type SyslogAdapter, startAdapter } from './adapter.ts';
export { type Config, readConfig } from './config.ts';
