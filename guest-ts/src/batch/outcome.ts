/** What a batchable step answers, in the form the orchestration reads: snake_case, cursors of any JSON type. */

/** One batch: what a worker finds under `stepInputs.cursor`. */
export interface RustCursorConfig {
  /** Ends the worker's name: `{worker template}_{batch_id}`. Unique in its batch. */
  batch_id: string;
  /** Where the batch starts, inclusive: a number, a timestamp, a composite key. */
  start_cursor: unknown;
  /** Where it ends, exclusive. */
  end_cursor: unknown;
  /** Items in it. */
  batch_size: number;
}

/** What the failure of one worker means for the others. */
export type FailureStrategy = 'continue_on_failure' | 'fail_fast' | 'isolate';

/** What the template's `batch_config` tells a worker. */
export interface BatchMetadata {
  cursor_field: string;
  failure_strategy: FailureStrategy;
}

/** The inputs of a batch worker. */
export interface RustBatchWorkerInputs {
  cursor: RustCursorConfig;
  batch_metadata: BatchMetadata;
  /** The placeholder of a batchable step that made no batches: it has nothing to do. */
  is_no_op: boolean;
}

/** There is nothing to work on. */
export interface NoBatchesOutcome {
  type: 'no_batches';
}

/** A worker for each cursor configuration. */
export interface CreateBatchesOutcome {
  type: 'create_batches';
  /** A `batch_worker` step of the template that depends on the batchable one. */
  worker_template_name: string;
  worker_count: number;
  cursor_configs: RustCursorConfig[];
  total_items: number;
}

/** What a batchable step came to: workers or none. */
export type BatchProcessingOutcome = NoBatchesOutcome | CreateBatchesOutcome;

/** The outcome of a batchable step that found nothing to work on. */
export function noBatches(): NoBatchesOutcome {
  return { type: 'no_batches' };
}

/** @throws Error when there is not one cursor configuration a worker */
export function createBatches(
  workerTemplateName: string,
  workerCount: number,
  cursorConfigs: RustCursorConfig[],
  totalItems: number,
): CreateBatchesOutcome {
  if (cursorConfigs.length !== workerCount) {
    throw new Error(`cursor_configs length (${cursorConfigs.length}) must equal worker_count (${workerCount})`);
  }
  return {
    type: 'create_batches',
    worker_template_name: workerTemplateName,
    worker_count: workerCount,
    cursor_configs: cursorConfigs,
    total_items: totalItems,
  };
}

/** Whether there is nothing to work on. */
export function isNoBatches(outcome: BatchProcessingOutcome): outcome is NoBatchesOutcome {
  return outcome.type === 'no_batches';
}

/** Whether workers are made. */
export function isCreateBatches(outcome: BatchProcessingOutcome): outcome is CreateBatchesOutcome {
  return outcome.type === 'create_batches';
}
