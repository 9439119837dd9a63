/** What comes before the workers, and after them. */

import {
  BatchableMixin,
  defineBatchAnalyzer,
  PermanentError,
  type StepContext,
  StepHandler,
  type StepHandlerResult,
} from '@tasker-systems/tasker';

const DEFAULT_BATCH_SIZE = 5;

export const PlanBilling = defineBatchAnalyzer(
  'CheckpointedBatch.StepHandlers.PlanBilling',
  { workerTemplate: 'bill_customers', inputs: { customers: 'customers', batchSize: 'batch_size' } },
  async ({ customers, batchSize }) => {
    if (typeof customers !== 'number' || !Number.isInteger(customers) || customers < 0) {
      throw new PermanentError(`customers must be a whole number, got ${customers}`);
    }
    return { totalItems: customers, batchSize: (batchSize as number | undefined) ?? DEFAULT_BATCH_SIZE };
  },
);

export class CloseMonthHandler extends StepHandler {
  static handlerName = 'CheckpointedBatch.StepHandlers.CloseMonthHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    // A month without customers has a placeholder worker, which billed nobody.
    const workers = context
      .getAllDependencyResults<Record<string, unknown>>('bill_customers_')
      .filter((result) => result.no_op !== true);
    const billed = workers.flatMap((result) => result.billed as number[]).sort((a, b) => a - b);
    const { total_processed, batch_count } = BatchableMixin.aggregateWorkerResults(workers);
    return this.success({
      customers_billed: total_processed,
      billed,
      billed_cents: workers.reduce((sum, result) => sum + (result.billed_cents as number), 0),
      worker_count: batch_count,
      billed_twice: billed.filter((customer, index) => customer === billed[index - 1]),
    });
  }
}
