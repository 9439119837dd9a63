/** The methods of handlers that work in batches. None of them needs its handler, so all handlers share them. */

import { checkpointYield } from '../checkpoint/yield.js';
import { markAsHelpers } from '../handler/helpers.js';
import type { StepContext } from '../types/step-context.js';
import type { StepHandlerResult } from '../types/step-handler-result.js';
import {
  aggregateBatchResults,
  aggregateBatchWorkerResults,
  type BatchAggregationResult,
  type BatchAggregationScenario,
  detectAggregationScenario,
  noBatchesAggregationResult,
} from './aggregation.js';
import {
  type BatchWorkerConfig,
  type CursorConfig,
  createCursorConfig,
  createCursorConfigs,
  createCursorRanges,
} from './cursors.js';
import type { RustBatchWorkerInputs } from './outcome.js';
import {
  type BatchAnalyzerOutcome,
  type BatchWorkerOutcome,
  batchAnalyzerSuccess,
  batchWorkerSuccess,
  createBatchOutcome,
  createWorkerOutcome,
  handleNoOpWorker,
} from './results.js';
import { type BatchWorkerContext, getBatchContext, getBatchWorkerInputs } from './worker-context.js';

type Data = Record<string, unknown>;

/** What a handler can do that works in batches. */
export interface Batchable {
  createCursorConfig(start: number, end: number, stepSize?: number, metadata?: Data): CursorConfig;

  /** Batches of `batchSize` items; larger ones where there would be more than `maxBatches`. */
  createCursorRanges(totalItems: number, batchSize: number, stepSize?: number, maxBatches?: number): CursorConfig[];

  /** Equal shares for `workerCount` workers, as `batchSuccess` takes them. */
  createCursorConfigs(totalItems: number, workerCount: number): BatchWorkerConfig[];

  createBatchOutcome(
    totalItems: number,
    batchSize: number,
    stepSize?: number,
    batchMetadata?: Data,
  ): BatchAnalyzerOutcome;

  /** `itemsSucceeded` 0 counts as all of them. */
  createWorkerOutcome(
    itemsProcessed: number,
    itemsSucceeded?: number,
    itemsFailed?: number,
    itemsSkipped?: number,
    results?: Data[],
    errors?: Data[],
    lastCursor?: number | null,
    batchMetadata?: Data,
  ): BatchWorkerOutcome;

  batchAnalyzerSuccess(outcome: BatchAnalyzerOutcome, metadata?: Data): StepHandlerResult;

  batchWorkerSuccess(outcome: BatchWorkerOutcome, metadata?: Data): StepHandlerResult;

  /** The batch of a worker step; `null` when the step has none. */
  getBatchContext(context: StepContext): BatchWorkerContext | null;

  /** The inputs of a worker step; `null` for a step without inputs. */
  getBatchWorkerInputs(context: StepContext): Partial<RustBatchWorkerInputs> | null;

  /** The result of a placeholder worker, to be returned at once; `null` for a worker that has a batch. */
  handleNoOpWorker(context: StepContext): StepHandlerResult | null;

  /** Ends the call, not the step: the handler is called again and finds this progress in its context. */
  checkpointYield(cursor: unknown, itemsProcessed: number, accumulated?: Data): StepHandlerResult;

  /** Whether there were batches, and what the workers left whose names start with the prefix. */
  detectAggregationScenario(dependencyResults: Data, batchableStep: string, prefix: string): BatchAggregationScenario;

  noBatchesAggregationResult(zeroMetrics?: Data): StepHandlerResult;

  /** The result of the step after the workers, of one scenario or the other. */
  aggregateBatchWorkerResults(
    scenario: BatchAggregationScenario,
    zeroMetrics?: Data,
    aggregate?: (batchResults: Record<string, Data>) => Data,
  ): StepHandlerResult;
}

const methods: Batchable = {
  createCursorConfig,
  createCursorRanges,
  createCursorConfigs,
  createBatchOutcome,
  createWorkerOutcome,
  batchAnalyzerSuccess,
  batchWorkerSuccess,
  getBatchContext,
  getBatchWorkerInputs,
  handleNoOpWorker,
  checkpointYield,
  detectAggregationScenario,
  noBatchesAggregationResult,
  aggregateBatchWorkerResults,
};
markAsHelpers(methods);

/** Gives an object the methods of `Batchable`. */
export function applyBatchable<T extends object>(target: T): T & Batchable {
  return Object.assign(target, methods);
}

/** The same for a class: as methods, which a loop over an instance's keys does not see. */
export function addBatchable(prototype: object): void {
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(prototype, name, { value, writable: true, configurable: true });
  }
}

const Methods = class {} as new () => Batchable;

/** The methods of `Batchable`, for handlers that extend something else: bind them, or use `applyBatchable`. */
export class BatchableMixin extends Methods {
  static {
    addBatchable(BatchableMixin.prototype);
  }

  static aggregateWorkerResults(results: Array<Data | null | undefined>, maxErrors?: number): BatchAggregationResult {
    return aggregateBatchResults(results, maxErrors);
  }
}
