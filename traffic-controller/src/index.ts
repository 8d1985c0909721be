export { type AccessControl, type Config, readConfig } from './config.ts';
export {
  type Overrides,
  startTrafficController,
  type TrafficController,
} from './traffic-controller.ts';
