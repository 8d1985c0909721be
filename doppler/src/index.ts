export { type Config, readConfig } from './config.ts';
export { type Doppler, startDoppler } from './doppler.ts';
export type { DopplerMetrics } from './metrics.ts';
