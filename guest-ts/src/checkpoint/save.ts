/** Progress stored while a call goes on. In a component the host stores it; elsewhere a test says what happens. */

import { messageOf } from '../types/thrown.js';
import { type Progress, progress } from './progress.js';

/** Stores progress, or throws with the reason why not. */
export type CheckpointRuntime = (progress: Progress) => void;

let runtime: CheckpointRuntime | null = null;

/** Says who stores what `saveCheckpoint` is called with; a component does it by itself. */
export function setCheckpointRuntime(save: CheckpointRuntime): void {
  runtime = save;
}

/** Leaves nobody to store checkpoints: `saveCheckpoint` throws. */
export function clearCheckpointRuntime(): void {
  runtime = null;
}

/** For who takes its place for a while, and puts it back with `restoreCheckpointRuntime`. */
export function currentCheckpointRuntime(): CheckpointRuntime | null {
  return runtime;
}

export function restoreCheckpointRuntime(before: CheckpointRuntime | null): void {
  runtime = before;
}

/** Progress was not stored. Thrown on, it fails the attempt; caught, the work goes on from the checkpoint before. */
export class CheckpointError extends Error {
  constructor(reason: string, cause?: unknown) {
    super(`The checkpoint was not saved: ${reason}`, { cause });
    this.name = 'CheckpointError';
  }
}

/**
 * Stores progress without ending the call: after a trap, a timeout or a crash the step goes on from here. The context
 * of the running call does not change.
 *
 * @param cursor where to go on: any JSON value the handler understands
 * @param itemsProcessed items done so far, over all calls of the step
 * @param accumulated partial results for the next call
 * @throws CheckpointError when it was not stored
 */
export function saveCheckpoint(cursor: unknown, itemsProcessed: number, accumulated?: Record<string, unknown>): void {
  if (runtime === null) {
    throw new CheckpointError('there is no host; in a test, setCheckpointRuntime() stands in for it');
  }
  try {
    runtime(progress(cursor, itemsProcessed, accumulated));
  } catch (error) {
    throw new CheckpointError(messageOf(error), error);
  }
}
