/** The value of an inventory, which comes as CSV text in the task's context. */

import {
  aggregateBatchResults,
  BatchableStepHandler,
  ErrorType,
  PermanentError,
  type StepContext,
  type StepHandlerResult,
} from '@tasker-systems/tasker';
import { COLUMNS, rowsOf, rowValue } from '../csv.js';

const DEFAULT_WORKERS = 3;

export class AnalyzeCsvHandler extends BatchableStepHandler {
  static handlerName = 'CsvBatch.StepHandlers.AnalyzeCsvHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const csv = context.getInput<string>('csv');
    if (typeof csv !== 'string') {
      return this.failure('csv must be a text', ErrorType.VALIDATION_ERROR, false);
    }
    const total = rowsOf(csv).length;
    if (total === 0) {
      return this.noBatchesResult('no rows', { total_rows: 0 });
    }
    const configs = this.createCursorConfigs(total, context.getInputOr('workers', DEFAULT_WORKERS));
    const worker = context.getConfig<string>('worker_template_name') ?? 'process_csv_rows';
    return this.batchSuccess(worker, configs, { total_rows: total });
  }
}

/** A bad number costs its row; a row of another shape fails the batch, for the text is not what it should be. */
export class ProcessCsvRowsHandler extends BatchableStepHandler {
  static handlerName = 'CsvBatch.StepHandlers.ProcessCsvRowsHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const nothingToDo = this.handleNoOpWorker(context);
    if (nothingToDo) {
      return nothingToDo;
    }
    const batch = this.getBatchContext(context);
    if (batch === null) {
      return this.failure('The step has no batch', 'batch_error', false);
    }
    const { startCursor, endCursor } = batch;
    let value = 0;
    const errors: Array<Record<string, unknown>> = [];
    for (const [index, line] of rowsOf(context.getInputOr('csv', '')).slice(startCursor, endCursor).entries()) {
      const row = line.split(',').map((cell) => cell.trim());
      if (row.length !== COLUMNS.length) {
        throw new PermanentError(`Row ${startCursor + index} has ${row.length} columns, not ${COLUMNS.join(', ')}`);
      }
      try {
        value += rowValue(row);
      } catch (error) {
        errors.push({ row: startCursor + index, message: (error as Error).message });
      }
    }
    const processed = endCursor - startCursor;
    return this.success({
      batch_id: batch.batchId,
      items_processed: processed,
      items_succeeded: processed - errors.length,
      items_failed: errors.length,
      errors,
      value_cents: value,
    });
  }
}

export class AggregateInventoryHandler extends BatchableStepHandler {
  static handlerName = 'CsvBatch.StepHandlers.AggregateInventoryHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const scenario = this.detectAggregationScenario(context.dependencyResults, 'analyze_csv', 'process_csv_rows_');
    const zeros = { ...aggregateBatchResults([]), value_cents: 0 };
    return this.aggregateBatchWorkerResults(scenario, zeros, (batches) => {
      const results = Object.values(batches);
      const value = results.reduce((sum, result) => sum + ((result.value_cents as number) ?? 0), 0);
      return { ...aggregateBatchResults(results), value_cents: value };
    });
  }
}
