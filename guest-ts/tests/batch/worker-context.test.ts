import { describe, expect, it } from 'vitest';
import { BatchableMixin, createBatchWorkerContext } from '../../src/index.js';
import { stepContext } from '../support.js';

const { getBatchContext, getBatchWorkerInputs } = new BatchableMixin();

const cursor = { batch_id: '002', start_cursor: 40, end_cursor: 80, batch_size: 40 };
const inputs = {
  cursor,
  batch_metadata: { cursor_field: 'id', failure_strategy: 'fail_fast' },
  is_no_op: false,
};
const batch = { batch_id: 'b', start_cursor: 1, end_cursor: 3 };

describe('the context of a batch worker', () => {
  it('is read from its inputs', () => {
    const context = getBatchContext(stepContext({ inputs }));
    expect(context).toMatchObject({
      batchId: '002',
      batchIndex: 0,
      totalBatches: 1,
      startCursor: 40,
      endCursor: 80,
      batchMetadata: inputs.batch_metadata,
    });
  });

  it.each([
    [{ ...cursor, step_size: 5 }, 5],
    [cursor, 40],
    [{ start_cursor: 0 }, 1],
    [null, 1],
  ])('takes its step from the cursor %j: %i', (given, stepSize) => {
    expect(getBatchContext(stepContext({ inputs: { cursor: given } }))?.stepSize).toBe(stepSize);
  });

  it.each([
    ['the configuration', { config: { batch_context: batch }, input: { batch_context: {} } }],
    ["the task's context", { input: { batch_context: batch }, inputs: { batch_context: {} } }],
    ['the inputs', { inputs: { batch_context: batch } }],
  ])('is read from a batch_context in %s where the inputs have no cursor', (_where, parts) => {
    expect(getBatchContext(stepContext(parts))).toMatchObject({ batchId: 'b', startCursor: 1, endCursor: 3 });
  });

  it('prefers the cursor', () => {
    const parts = { inputs, config: { batch_context: batch } };
    expect(getBatchContext(stepContext(parts))?.batchId).toBe('002');
  });

  it('is null for a step without a batch', () => {
    expect(getBatchContext(stepContext())).toBeNull();
    expect(getBatchContext(stepContext({ inputs: { other: 1 } }))).toBeNull();
  });

  it('carries the checkpoint', () => {
    const checkpoint = { cursor: 60, items_processed: 20, accumulated_results: { sum: 7 } };
    for (const parts of [{ inputs }, { input: { batch_context: batch } }]) {
      const context = getBatchContext(stepContext({ ...parts, checkpoint }));
      expect(context?.hasCheckpoint()).toBe(true);
      expect(context).toMatchObject({
        checkpoint,
        checkpointCursor: 60,
        checkpointItemsProcessed: 20,
        accumulatedResults: { sum: 7 },
      });
    }
  });

  it('says neither whether it is a placeholder nor how large the batch is', () => {
    const context = getBatchContext(stepContext({ inputs: { ...inputs, is_no_op: true } }));
    expect(context?.isNoOp).toBeUndefined();
    expect(context?.batchSize).toBeUndefined();
  });
});

describe('a context made from batch data', () => {
  it('may be all defaults', () => {
    const context = createBatchWorkerContext({});
    expect(context).toMatchObject({
      batchId: '',
      cursorConfig: { startCursor: 0, endCursor: 0, stepSize: 1, metadata: {} },
      batchIndex: 0,
      totalBatches: 1,
      batchMetadata: {},
      checkpoint: {},
      checkpointCursor: undefined,
      accumulatedResults: undefined,
      checkpointItemsProcessed: 0,
    });
    expect(context.hasCheckpoint()).toBe(false);
  });

  it.each([
    ['nested', { cursor_config: { start_cursor: 2, end_cursor: 8, step_size: 3, metadata: { m: 1 } } }],
    ['flat', { start_cursor: 2, end_cursor: 8, step_size: 3, metadata: { m: 1 } }],
  ])('reads %s cursors', (_form, cursors) => {
    const data = { batch_id: 'b', batch_index: 4, total_batches: 9, batch_metadata: { b: 1 }, ...cursors };
    expect(createBatchWorkerContext(data)).toMatchObject({
      batchId: 'b',
      batchIndex: 4,
      totalBatches: 9,
      batchMetadata: { b: 1 },
      startCursor: 2,
      endCursor: 8,
      stepSize: 3,
      cursorConfig: { metadata: { m: 1 } },
    });
  });

  it('follows its cursors and its checkpoint when they change', () => {
    const context = createBatchWorkerContext({});
    context.cursorConfig.endCursor = 5;
    context.checkpoint = { cursor: 3, items_processed: 3 };
    expect([context.endCursor, context.checkpointCursor, context.checkpointItemsProcessed]).toEqual([5, 3, 3]);
  });

  it('has a checkpoint even at the cursor null, unlike the step', () => {
    expect(createBatchWorkerContext({}, { cursor: null }).hasCheckpoint()).toBe(true);
    expect(stepContext({ checkpoint: { cursor: null } }).hasCheckpoint()).toBe(false);
  });
});

describe('the inputs of a worker', () => {
  it('are those of the step', () => {
    expect(getBatchWorkerInputs(stepContext({ inputs }))).toEqual(inputs);
  });

  it('are null for a step without', () => {
    expect(getBatchWorkerInputs(stepContext())).toBeNull();
  });
});
