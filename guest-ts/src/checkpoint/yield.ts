import { StepHandlerResult } from '../types/step-handler-result.js';

/** The progress a yield carries, in the form other Tasker workers hand it to their runtime. */
export interface CheckpointYieldData {
  stepUuid: string;
  cursor: unknown;
  itemsProcessed: number;
  accumulatedResults?: Record<string, unknown>;
}

/**
 * Ends the call, not the step: the progress is stored, and the handler is called again from there, without spending an
 * attempt.
 *
 * @param cursor where to go on: any JSON value the handler understands
 * @param itemsProcessed items done so far, over all calls of the step
 * @param accumulated partial results for the next call
 */
export function checkpointYield(
  cursor: unknown,
  itemsProcessed: number,
  accumulated?: Record<string, unknown>,
): StepHandlerResult {
  const result: Record<string, unknown> = { type: 'checkpoint_yield', cursor, items_processed: itemsProcessed };
  if (accumulated !== undefined) {
    result.accumulated_results = accumulated;
  }
  return StepHandlerResult.success(result, { checkpoint_yield: true, batch_worker: true });
}
