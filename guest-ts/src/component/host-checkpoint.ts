/** Checkpoints into the host. */

import { saveCheckpoint } from 'tasker:handler/execution@0.1.0';
import { setCheckpointRuntime } from '../checkpoint/save.js';

export function installHostCheckpoint(): void {
  setCheckpointRuntime((progress) => {
    try {
      saveCheckpoint(progress);
    } catch (error) {
      // The bindings throw an Error whose payload is the `err` of the result.
      const { payload } = error as { payload?: unknown };
      throw typeof payload === 'string' ? new Error(payload) : error;
    }
  });
}
