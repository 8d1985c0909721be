/**
 * How far this process is in its life, for whoever asks it for its health.
 *
 * There is one process, so there is one of this. `run` (service.ts) says what is; in a process that
 * it does not run, such as a test's, all serves from the beginning.
 */

export type LifecycleState = 'starting' | 'ready' | 'draining';

let state: LifecycleState = 'ready';

export function lifecycleState(): LifecycleState {
  return state;
}

export function enterLifecycleState(next: LifecycleState): void {
  state = next;
}
