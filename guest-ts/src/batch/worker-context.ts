/** What a batch worker knows about its batch. */

import type { StepContext } from '../types/step-context.js';
import type { CursorConfig } from './cursors.js';
import type { RustBatchWorkerInputs } from './outcome.js';

type Data = Record<string, unknown>;

/** The batch of a worker, and how far an earlier call of it came. */
export interface BatchWorkerContext {
  batchId: string;
  cursorConfig: CursorConfig;
  /** From 0. */
  batchIndex: number;
  totalBatches: number;
  batchMetadata: Data;
  /** As it was stored; empty when the worker left none. */
  checkpoint: Data;
  readonly startCursor: number;
  readonly endCursor: number;
  readonly stepSize: number;
  readonly checkpointCursor: number | string | Data | undefined;
  readonly accumulatedResults: Data | undefined;
  readonly checkpointItemsProcessed: number;
  /** True for a cursor of `null` too, unlike the step context's. */
  hasCheckpoint(): boolean;
  /** Never set: handlers that read it were written against a context without it. See `handleNoOpWorker`. */
  readonly isNoOp?: boolean;
  /** Never set, as `isNoOp`. See `getBatchWorkerInputs(context)?.cursor?.batch_size`. */
  readonly batchSize?: number;
}

/** @param data a batch, its cursors under `cursor_config` or at its own level */
export function createBatchWorkerContext(data: Data, checkpoint: Data = {}): BatchWorkerContext {
  const cursors = (data.cursor_config as Data | undefined) || data;
  return {
    batchId: (data.batch_id as string) ?? '',
    cursorConfig: {
      startCursor: (cursors.start_cursor as number) ?? 0,
      endCursor: (cursors.end_cursor as number) ?? 0,
      stepSize: (cursors.step_size as number) ?? 1,
      metadata: (cursors.metadata as Data) ?? {},
    },
    batchIndex: (data.batch_index as number) ?? 0,
    totalBatches: (data.total_batches as number) ?? 1,
    batchMetadata: (data.batch_metadata as Data) ?? {},
    checkpoint,
    get startCursor() {
      return this.cursorConfig.startCursor;
    },
    get endCursor() {
      return this.cursorConfig.endCursor;
    },
    get stepSize() {
      return this.cursorConfig.stepSize;
    },
    get checkpointCursor() {
      return this.checkpoint.cursor as BatchWorkerContext['checkpointCursor'];
    },
    get accumulatedResults() {
      return this.checkpoint.accumulated_results as Data | undefined;
    },
    get checkpointItemsProcessed() {
      return (this.checkpoint.items_processed as number) ?? 0;
    },
    hasCheckpoint() {
      return this.checkpoint.cursor !== undefined;
    },
  };
}

/** The batch of a worker step; `null` when the step has none. */
export function getBatchContext(context: StepContext): BatchWorkerContext | null {
  const checkpoint = (context.checkpoint ?? {}) as Data;
  const { stepInputs, stepConfig, inputData } = context;
  if ('cursor' in stepInputs) {
    const cursor = (stepInputs.cursor ?? {}) as Data;
    const batch = {
      batch_id: cursor.batch_id,
      cursor_config: { ...cursor, step_size: cursor.step_size ?? cursor.batch_size ?? 1 },
      batch_metadata: stepInputs.batch_metadata,
    };
    return createBatchWorkerContext(batch, checkpoint);
  }
  // Where older workers looked.
  const batch = stepConfig.batch_context || inputData.batch_context || stepInputs.batch_context;
  return batch ? createBatchWorkerContext(batch as Data, checkpoint) : null;
}

/** The inputs the orchestration gave a worker step; `null` for a step without inputs. */
export function getBatchWorkerInputs(context: StepContext): Partial<RustBatchWorkerInputs> | null {
  return Object.keys(context.stepInputs).length === 0 ? null : context.stepInputs;
}
