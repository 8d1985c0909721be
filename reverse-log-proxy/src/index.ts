export { type Config, readConfig } from './config.ts';
export { type GatewayConfig, readConfig as readGatewayConfig } from './gateway/config.ts';
export { type Gateway, startGateway } from './gateway/gateway.ts';
export { type ReverseLogProxy, startReverseLogProxy } from './proxy.ts';
