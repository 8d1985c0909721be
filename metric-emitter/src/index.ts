export type { Agent } from './agent.ts';
export { AgentEvents, type AgentEventsOptions } from './agent-events.ts';
export { type EmitOptions, emitMetrics } from './metric-emitter.ts';
