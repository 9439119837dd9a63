import { describe, expect, it } from 'vitest';
import {
  BatchableMixin,
  BatchableStepHandler,
  createBatches,
  isCreateBatches,
  isNoBatches,
  noBatches,
  type StepHandlerResult,
} from '../../src/index.js';
import { stepContext } from '../support.js';

class Work extends BatchableStepHandler {
  static override handlerName = 'Csv.Work';

  async call(): Promise<StepHandlerResult> {
    return this.noBatchesResult();
  }
}

const mixin = new BatchableMixin();
const handler = new Work();

describe('the outcome of an analyzer', () => {
  it('holds the ranges, the number of items and what is for all workers', () => {
    expect(mixin.createBatchOutcome(5, 3, 2, { file: 'a.csv' })).toEqual({
      cursorConfigs: [
        { startCursor: 0, endCursor: 3, stepSize: 2, metadata: {} },
        { startCursor: 3, endCursor: 5, stepSize: 2, metadata: {} },
      ],
      totalItems: 5,
      batchMetadata: { file: 'a.csv' },
    });
    expect(mixin.createBatchOutcome(5, 5)).toMatchObject({ cursorConfigs: [{ stepSize: 1 }], batchMetadata: {} });
  });

  it('becomes a result in snake_case', () => {
    const result = mixin.batchAnalyzerSuccess(mixin.createBatchOutcome(5, 5), { took: 1 });
    expect(result).toMatchObject({ success: true, metadata: { took: 1 } });
    expect(result.result).toEqual({
      batch_analyzer_outcome: {
        cursor_configs: [{ start_cursor: 0, end_cursor: 5, step_size: 1, metadata: {} }],
        total_items: 5,
        batch_metadata: {},
      },
    });
  });
});

describe('the outcome of a worker', () => {
  it('counts all items as succeeded when no other number is given, and for 0 too', () => {
    expect(mixin.createWorkerOutcome(7)).toEqual({
      itemsProcessed: 7,
      itemsSucceeded: 7,
      itemsFailed: 0,
      itemsSkipped: 0,
      results: [],
      errors: [],
      lastCursor: null,
      batchMetadata: {},
    });
    expect(mixin.createWorkerOutcome(7, 0, 7).itemsSucceeded).toBe(7);
  });

  it('becomes a result in snake_case', () => {
    const outcome = mixin.createWorkerOutcome(7, 4, 2, 1, [{ id: 1 }], [{ row: 3 }], 47, { file: 'a.csv' });
    const result = mixin.batchWorkerSuccess(outcome, { took: 1 });
    expect(result).toMatchObject({ success: true, metadata: { took: 1 } });
    expect(result.result).toEqual({
      batch_worker_outcome: {
        items_processed: 7,
        items_succeeded: 4,
        items_failed: 2,
        items_skipped: 1,
        results: [{ id: 1 }],
        errors: [{ row: 3 }],
        last_cursor: 47,
        batch_metadata: { file: 'a.csv' },
      },
    });
  });
});

describe('the outcome of a batchable step', () => {
  it('creates a worker of each configuration; metadata goes into the result as well', () => {
    const result = handler.batchSuccess('work', handler.createCursorConfigs(5, 2), { file: 'a.csv' });
    expect(result).toMatchObject({ success: true, metadata: { file: 'a.csv' } });
    expect(result.result).toEqual({
      batch_processing_outcome: {
        type: 'create_batches',
        worker_template_name: 'work',
        worker_count: 2,
        cursor_configs: [
          { batch_id: '001', start_cursor: 0, end_cursor: 3, batch_size: 3 },
          { batch_id: '002', start_cursor: 3, end_cursor: 5, batch_size: 2 },
        ],
        total_items: 5,
      },
      file: 'a.csv',
    });
    expect(handler.batchSuccess('work', []).metadata).toEqual({});
  });

  it('may be that there is nothing to work on', () => {
    const result = handler.noBatchesResult('empty', { file: 'a.csv' });
    expect(result).toMatchObject({ success: true, metadata: { file: 'a.csv' } });
    expect(result.result).toEqual({
      batch_processing_outcome: { type: 'no_batches' },
      file: 'a.csv',
      reason: 'empty',
    });
    expect(handler.noBatchesResult().result).toEqual({ batch_processing_outcome: { type: 'no_batches' } });
  });

  it('is one kind or the other', () => {
    const some = createBatches('work', 1, [{ batch_id: 'a', start_cursor: 'x', end_cursor: 'y', batch_size: 1 }], 1);
    expect([isCreateBatches(some), isNoBatches(some)]).toEqual([true, false]);
    expect([isCreateBatches(noBatches()), isNoBatches(noBatches())]).toEqual([false, true]);
    expect(noBatches()).toEqual({ type: 'no_batches' });
  });

  it('has a cursor configuration for each worker', () => {
    expect(() => createBatches('work', 2, [], 0)).toThrow('cursor_configs length (0) must equal worker_count (2)');
  });
});

describe('a placeholder worker', () => {
  it('is done at once', () => {
    const inputs = { cursor: { batch_id: '000' }, is_no_op: true };
    const result = mixin.handleNoOpWorker(stepContext({ inputs }));
    expect(result?.isSuccess()).toBe(true);
    expect(result?.result).toEqual({
      batch_id: '000',
      no_op: true,
      processed_count: 0,
      message: 'No batches to process',
      processed_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    });
  });

  it('is called no_op where its cursor has no name', () => {
    expect(mixin.handleNoOpWorker(stepContext({ inputs: { is_no_op: true } }))?.result?.batch_id).toBe('no_op');
  });

  it.each([{}, { cursor: { batch_id: '001' } }, { cursor: { batch_id: '001' }, is_no_op: false }])(
    'is none with the inputs %j',
    (inputs) => {
      expect(mixin.handleNoOpWorker(stepContext({ inputs }))).toBeNull();
    },
  );
});
