export { type Config, readConfig } from './config.ts';
export { type Platform, startPlatform } from './platform.ts';
