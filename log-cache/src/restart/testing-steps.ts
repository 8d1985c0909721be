/**
 * Shows a test each step that its process takes in a folder, before it is taken: what a kill at this
 * moment leaves stands in the folder then. A step that `hear` throws at fails with that. It stands
 * before the calls of node:fs/promises and the methods of its handles, for all in this thread.
 */

import fs, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { devNull } from 'node:os';

export interface Step {
  readonly call: string;
  /** The path that it is of; '' for one of a handle. */
  readonly path: string;
}

type Call = (...values: unknown[]) => Promise<unknown>;

const CALLS = ['link', 'open', 'rename', 'rm', 'truncate', 'writeFile'];
const HANDLE_CALLS = ['close', 'sync', 'truncate', 'write'];

/** Calls `hear` at each step until it is disposed of. */
export async function onStep(hear: (step: Step) => void): Promise<Disposable> {
  const handle = await fs.open(devNull);
  const prototype: FileHandle = Object.getPrototypeOf(handle);
  await handle.close();
  const undo = [
    ...CALLS.map((call) => replace(fs, call, (path) => hear({ call, path: String(path) }))),
    ...HANDLE_CALLS.map((call) => replace(prototype, call, () => hear({ call, path: '' }))),
  ];
  syncBuiltinESMExports();
  return {
    [Symbol.dispose]: () => {
      for (const one of undo) one();
      syncBuiltinESMExports();
    },
  };
}

function replace(object: object, name: string, before: (first: unknown) => void): () => void {
  const call: Call = Reflect.get(object, name);
  async function step(this: unknown, ...values: unknown[]): Promise<unknown> {
    before(values[0]);
    return call.apply(this, values);
  }
  Reflect.set(object, name, step);
  return () => Reflect.set(object, name, call);
}
