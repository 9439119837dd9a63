/** What the step after the workers makes of their results. */

import { StepHandlerResult } from '../types/step-handler-result.js';

type Data = Record<string, unknown>;

/** Sums over all workers. */
export interface BatchAggregationResult {
  total_processed: number;
  total_succeeded: number;
  total_failed: number;
  total_skipped: number;
  /** Workers that left a result. */
  batch_count: number;
  /** 0 to 1; 0 when nothing was processed. */
  success_rate: number;
  /** The first ones. */
  errors: Data[];
  /** All of them. */
  error_count: number;
}

/** Whether there were batches, and what their workers left. */
export interface BatchAggregationScenario {
  isNoBatches: boolean;
  /** Result of the batchable step. */
  batchableResult: Data;
  /** Results of the workers, by step name. */
  batchResults: Record<string, Data>;
  workerCount: number;
}

/** Sums of what workers report, at the top of their results or in the outcome of `batchWorkerSuccess`. */
export function aggregateBatchResults(
  workerResults: Array<Data | null | undefined>,
  maxErrors = 100,
): BatchAggregationResult {
  const present = workerResults.filter((result) => result !== null && result !== undefined).map(reported);
  const sum = (key: string) => present.reduce((total, result) => total + ((result[key] as number) ?? 0), 0);
  const errors = present.flatMap((result) => (Array.isArray(result.errors) ? (result.errors as Data[]) : []));
  const processed = sum('items_processed');
  const succeeded = sum('items_succeeded');
  return {
    total_processed: processed,
    total_succeeded: succeeded,
    total_failed: sum('items_failed'),
    total_skipped: sum('items_skipped'),
    batch_count: present.length,
    success_rate: processed > 0 ? succeeded / processed : 0,
    errors: errors.slice(0, maxErrors),
    error_count: errors.length,
  };
}

function reported(result: Data): Data {
  return isData(result.batch_worker_outcome) ? result.batch_worker_outcome : result;
}

/**
 * @param dependencyResults those of the step context
 * @param prefix what the workers' names start with: the name of their template step and `_`
 * @throws Error when there is neither a worker nor an outcome without batches
 */
export function detectAggregationScenario(
  dependencyResults: Data,
  batchableStep: string,
  prefix: string,
): BatchAggregationScenario {
  const batchable = dependencyResults[batchableStep];
  if (batchable === null || batchable === undefined) {
    throw new Error(`Missing batchable step dependency: ${batchableStep}`);
  }
  const batchableResult = unwrap(batchable);
  const outcome = batchableResult.batch_processing_outcome;
  if (isData(outcome) && outcome.type === 'no_batches') {
    return { isNoBatches: true, batchableResult, batchResults: {}, workerCount: 0 };
  }
  const batchResults: Record<string, Data> = {};
  for (const [name, result] of Object.entries(dependencyResults)) {
    if (name.startsWith(prefix)) {
      batchResults[name] = unwrap(result);
    }
  }
  const workerCount = Object.keys(batchResults).length;
  if (workerCount === 0) {
    throw new Error(
      `No batch workers found with prefix '${prefix}' and batchable step '${batchableStep}' did not return NoBatches outcome. This indicates a workflow configuration error.`,
    );
  }
  return { isNoBatches: false, batchableResult, batchResults, workerCount };
}

export function noBatchesAggregationResult(zeroMetrics: Data = {}): StepHandlerResult {
  return StepHandlerResult.success({ worker_count: 0, scenario: 'no_batches', ...zeroMetrics });
}

/** @param aggregate makes one result of the workers'; without it they are returned as they are */
export function aggregateBatchWorkerResults(
  scenario: BatchAggregationScenario,
  zeroMetrics?: Data,
  aggregate: (batchResults: Record<string, Data>) => Data = (batchResults) => ({ batch_results: batchResults }),
): StepHandlerResult {
  if (scenario.isNoBatches) {
    return noBatchesAggregationResult(zeroMetrics);
  }
  return StepHandlerResult.success({
    ...aggregate(scenario.batchResults),
    worker_count: scenario.workerCount,
    scenario: 'with_batches',
  });
}

/** A result without its envelope. */
function unwrap(dependency: unknown): Data {
  const inner = isData(dependency) && 'result' in dependency ? dependency.result : dependency;
  return (inner ?? {}) as Data;
}

function isData(value: unknown): value is Data {
  return typeof value === 'object' && value !== null;
}
