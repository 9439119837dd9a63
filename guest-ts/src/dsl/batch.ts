import { batchNumber, createCursorRanges } from '../batch/cursors.js';
import { createBatches } from '../batch/outcome.js';
import { type BatchWorkerContext, getBatchContext } from '../batch/worker-context.js';
import { StepHandlerResult } from '../types/step-handler-result.js';
import { type DefinedHandler, defineStep, type HandlerArgs, type HandlerOptions } from './define.js';

/** What the function of a batch analyzer returns. */
export interface BatchConfig {
  totalItems: number;
  batchSize: number;
  metadata?: Record<string, unknown>;
}

/**
 * The handler of a batchable step, made of a function. Its batches are called `batch_000`, `batch_001`, ... Without
 * items it creates no worker; the host takes that for "no batches".
 */
export function defineBatchAnalyzer(
  name: string,
  options: HandlerOptions & {
    /** The `batch_worker` step of the template. */
    workerTemplate: string;
  },
  fn: (args: HandlerArgs) => Promise<BatchConfig | StepHandlerResult> | BatchConfig | StepHandlerResult,
): DefinedHandler {
  return defineStep(name, options, async (args) => {
    const config = await fn(args);
    return config instanceof StepHandlerResult ? config : batches(options.workerTemplate, config);
  });
}

function batches(workerTemplate: string, { totalItems, batchSize, metadata }: BatchConfig): StepHandlerResult {
  const cursorConfigs = createCursorRanges(totalItems, batchSize).map(({ startCursor, endCursor }, index) => ({
    batch_id: `batch_${batchNumber(index)}`,
    start_cursor: startCursor,
    end_cursor: endCursor,
    batch_size: endCursor - startCursor,
  }));
  const outcome = createBatches(workerTemplate, cursorConfigs.length, cursorConfigs, totalItems);
  return StepHandlerResult.success(
    { batch_processing_outcome: outcome },
    { batch_count: cursorConfigs.length, total_items: totalItems, ...metadata },
  );
}

/** The handler of a batch worker, made of a function, which gets its batch too; `null` when the step has none. */
export function defineBatchWorker(
  name: string,
  options: HandlerOptions,
  fn: (args: HandlerArgs & { batchContext: BatchWorkerContext | null }) => unknown,
): DefinedHandler {
  return defineStep(name, options, (args) => fn(Object.assign(args, { batchContext: getBatchContext(args.context) })));
}
