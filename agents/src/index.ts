export { IngressClient, type IngressClientOptions } from './ingress-client.ts';
export { type MetronConfig, readConfig as readMetronConfig } from './metron/config.ts';
export { type Metron, startMetron } from './metron/metron.ts';
