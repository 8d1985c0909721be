export { IngressClient, type IngressClientOptions } from './ingress-client.ts';
