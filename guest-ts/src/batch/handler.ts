import { markAsHelpers } from '../handler/helpers.js';
import { StepHandler, type StepHandlerClass } from '../handler/step-handler.js';
import { addBatchable, type Batchable } from './batchable.js';
import type { BatchWorkerConfig } from './cursors.js';
import { type BatchableResult, batchesResult, noBatchesResult } from './results.js';

/** `StepHandler` as a class that has the methods of `Batchable` too: the block below adds them. */
const BatchableBase = StepHandler as unknown as (abstract new () => StepHandler & Batchable) &
  Pick<StepHandlerClass, 'handlerName' | 'handlerVersion'>;

/** Base of the handlers of `batchable` steps, their workers and what comes after them. */
export abstract class BatchableStepHandler extends BatchableBase {
  static {
    addBatchable(BatchableStepHandler.prototype);
    markAsHelpers(BatchableStepHandler.prototype);
  }

  /**
   * Makes a worker of each configuration.
   *
   * @param workerTemplateName the `batch_worker` step of the template
   * @param metadata becomes part of the result as well
   */
  batchSuccess(
    workerTemplateName: string,
    configs: BatchWorkerConfig[],
    metadata?: Record<string, unknown>,
  ): BatchableResult {
    return batchesResult(workerTemplateName, configs, metadata);
  }

  /**
   * There is nothing to work on.
   *
   * @param metadata becomes part of the result as well
   */
  noBatchesResult(reason?: string, metadata?: Record<string, unknown>): BatchableResult {
    return noBatchesResult(reason, metadata);
  }
}
