export { appGuid } from './executor/app.ts';
export {
  type Config as ExecutorConfig,
  readConfig as readExecutorConfig,
} from './executor/config.ts';
export { type Executor, startExecutor } from './executor/executor.ts';
export { IngressClient, type IngressClientOptions } from './ingress-client.ts';
export { type MetronConfig, readConfig as readMetronConfig } from './metron/config.ts';
export { type Metron, startMetron } from './metron/metron.ts';
export { type InjectorConfig, readConfig as readInjectorConfig } from './statsd-injector/config.ts';
export { type StatsdInjector, startStatsdInjector } from './statsd-injector/statsd-injector.ts';
