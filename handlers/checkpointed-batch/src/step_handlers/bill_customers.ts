/** The worker: bills its customers one by one, and stores its progress every few of them. */

import {
  BatchableStepHandler,
  ErrorType,
  type StepContext,
  StepHandlerResult,
  saveCheckpoint,
} from '@tasker-systems/tasker';

const DEFAULT_CHECKPOINT_EVERY = 2;
const CENTS_PER_CUSTOMER_NUMBER = 10;

/** What has been done in all calls so far, and where it goes on. */
interface Progress {
  cursor: number;
  /** Customers, in the order they were billed. */
  billed: number[];
  cents: number;
}

export class BillCustomersHandler extends BatchableStepHandler {
  static handlerName = 'CheckpointedBatch.StepHandlers.BillCustomersHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const nothingToDo = this.handleNoOpWorker(context);
    if (nothingToDo) {
      return nothingToDo;
    }
    const batch = this.getBatchContext(context);
    if (batch === null) {
      return this.failure('The step has no batch', 'batch_error', false);
    }
    const every = context.getInputOr('checkpoint_every', DEFAULT_CHECKPOINT_EVERY);
    const progress = progressOf(context, batch.startCursor);
    const resumedFrom = context.checkpointCursor;

    while (progress.cursor < batch.endCursor) {
      if (failsNow(context, progress)) {
        return outage(progress, context.getInputOr('fail_for_good', false));
      }
      progress.billed.push(progress.cursor);
      progress.cents += progress.cursor * CENTS_PER_CUSTOMER_NUMBER;
      progress.cursor += 1;

      if (progress.billed.length % every === 0 && progress.cursor < batch.endCursor) {
        const { cursor, billed, cents } = progress;
        if (context.getInput('checkpoint_by') !== 'save') {
          return this.checkpointYield(cursor, billed.length, { billed, cents });
        }
        saveCheckpoint(cursor, billed.length, { billed, cents });
      }
    }
    return this.success({
      batch_id: batch.batchId,
      items_processed: progress.billed.length,
      items_succeeded: progress.billed.length,
      items_failed: 0,
      billed: progress.billed,
      billed_cents: progress.cents,
      resumed_from: resumedFrom,
      attempts: context.retryCount + 1,
    });
  }
}

function outage(progress: Progress, forGood: boolean): StepHandlerResult {
  const count = progress.billed.length;
  return StepHandlerResult.failure(
    `The payment provider went down after ${count} customers`,
    forGood ? ErrorType.PERMANENT_ERROR : 'connection_error',
    !forGood,
    { customers_billed: count, cursor: progress.cursor },
  );
}

function progressOf(context: StepContext, start: number): Progress {
  const { billed = [], cents = 0 } = (context.accumulatedResults ?? {}) as Partial<Progress>;
  const cursor = context.hasCheckpoint() ? (context.checkpointCursor as number) : start;
  return { cursor, billed: [...billed], cents };
}

/** The outage hits the first attempt only. */
function failsNow(context: StepContext, progress: Progress): boolean {
  const failAfter = context.getInput<number>('fail_after');
  return typeof failAfter === 'number' && !context.isRetry() && progress.billed.length >= failAfter;
}
