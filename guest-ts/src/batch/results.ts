/** What analyzers and workers return. */

import type { StepContext } from '../types/step-context.js';
import { StepHandlerResult } from '../types/step-handler-result.js';
import { type BatchWorkerConfig, type CursorConfig, createCursorRanges } from './cursors.js';
import { createBatches, noBatches } from './outcome.js';
import { getBatchWorkerInputs } from './worker-context.js';

type Data = Record<string, unknown>;

/** What a batchable step returns. */
export type BatchableResult = StepHandlerResult;

/** What an analyzer found. */
export interface BatchAnalyzerOutcome {
  cursorConfigs: CursorConfig[];
  totalItems: number | null;
  batchMetadata: Data;
}

/** What a worker did. */
export interface BatchWorkerOutcome {
  itemsProcessed: number;
  itemsSucceeded: number;
  itemsFailed: number;
  itemsSkipped: number;
  results: Data[];
  errors: Data[];
  lastCursor: number | null;
  batchMetadata: Data;
}

export function createBatchOutcome(
  totalItems: number,
  batchSize: number,
  stepSize = 1,
  batchMetadata: Data = {},
): BatchAnalyzerOutcome {
  return { cursorConfigs: createCursorRanges(totalItems, batchSize, stepSize), totalItems, batchMetadata };
}

/** `itemsSucceeded` 0 counts as all: a worker that failed everything says so in `itemsFailed` alone. */
export function createWorkerOutcome(
  itemsProcessed: number,
  itemsSucceeded = 0,
  itemsFailed = 0,
  itemsSkipped = 0,
  results: Data[] = [],
  errors: Data[] = [],
  lastCursor: number | null = null,
  batchMetadata: Data = {},
): BatchWorkerOutcome {
  return {
    itemsProcessed,
    itemsSucceeded: itemsSucceeded || itemsProcessed,
    itemsFailed,
    itemsSkipped,
    results,
    errors,
    lastCursor,
    batchMetadata,
  };
}

export function batchAnalyzerSuccess(outcome: BatchAnalyzerOutcome, metadata?: Data): StepHandlerResult {
  const cursorConfigs = outcome.cursorConfigs.map((range) => ({
    start_cursor: range.startCursor,
    end_cursor: range.endCursor,
    step_size: range.stepSize,
    metadata: range.metadata,
  }));
  const { totalItems, batchMetadata } = outcome;
  return StepHandlerResult.success(
    {
      batch_analyzer_outcome: {
        cursor_configs: cursorConfigs,
        total_items: totalItems,
        batch_metadata: batchMetadata,
      },
    },
    metadata,
  );
}

export function batchWorkerSuccess(outcome: BatchWorkerOutcome, metadata?: Data): StepHandlerResult {
  return StepHandlerResult.success(
    {
      batch_worker_outcome: {
        items_processed: outcome.itemsProcessed,
        items_succeeded: outcome.itemsSucceeded,
        items_failed: outcome.itemsFailed,
        items_skipped: outcome.itemsSkipped,
        results: outcome.results,
        errors: outcome.errors,
        last_cursor: outcome.lastCursor,
        batch_metadata: outcome.batchMetadata,
      },
    },
    metadata,
  );
}

export function batchesResult(
  workerTemplateName: string,
  configs: BatchWorkerConfig[],
  metadata?: Data,
): BatchableResult {
  const cursorConfigs = configs.map((config) => ({
    batch_id: config.batch_id,
    start_cursor: config.cursor_start,
    end_cursor: config.cursor_end,
    batch_size: config.row_count,
  }));
  const totalItems = configs.reduce((total, config) => total + config.row_count, 0);
  const outcome = createBatches(workerTemplateName, configs.length, cursorConfigs, totalItems);
  return StepHandlerResult.success({ batch_processing_outcome: outcome, ...metadata }, metadata);
}

export function noBatchesResult(reason?: string, metadata?: Data): BatchableResult {
  const result: Data = { batch_processing_outcome: noBatches(), ...metadata };
  if (reason) {
    result.reason = reason;
  }
  return StepHandlerResult.success(result, metadata);
}

/** The result of a placeholder worker; `null` for a worker that has a batch. */
export function handleNoOpWorker(context: StepContext): StepHandlerResult | null {
  const inputs = getBatchWorkerInputs(context);
  if (!inputs?.is_no_op) {
    return null;
  }
  return StepHandlerResult.success({
    batch_id: inputs.cursor?.batch_id ?? 'no_op',
    no_op: true,
    processed_count: 0,
    message: 'No batches to process',
    processed_at: new Date().toISOString(),
  });
}
