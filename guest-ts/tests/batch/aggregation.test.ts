import { describe, expect, it } from 'vitest';
import { aggregateBatchResults, BatchableMixin, detectAggregationScenario } from '../../src/index.js';

const mixin = new BatchableMixin();

const outcome = (type: string) => ({ batch_processing_outcome: { type } });
const worker = (n: number) => ({ items_processed: n, items_succeeded: n - 1, items_failed: 1, items_skipped: 0 });

describe.each([
  ['the function', detectAggregationScenario],
  ['the method', mixin.detectAggregationScenario],
])('the scenario, detected by %s', (_what, detect) => {
  it('has the results of the workers by name, without their envelopes', () => {
    const results = {
      analyze: { success: true, result: outcome('create_batches') },
      work_001: { success: true, result: { n: 1 } },
      work_002: { n: 2 },
      workshop: { n: 3 },
    };
    expect(detect(results, 'analyze', 'work_')).toEqual({
      isNoBatches: false,
      batchableResult: outcome('create_batches'),
      batchResults: { work_001: { n: 1 }, work_002: { n: 2 } },
      workerCount: 2,
    });
  });

  it.each([[outcome('no_batches')], [{ result: outcome('no_batches') }]])(
    'is without batches for the outcome %j, whatever workers there are',
    (analyze) => {
      expect(detect({ analyze, work_000: { no_op: true } }, 'analyze', 'work_')).toEqual({
        isNoBatches: true,
        batchableResult: outcome('no_batches'),
        batchResults: {},
        workerCount: 0,
      });
    },
  );

  it.each([[{}], [{ analyze: null }]])('cannot be told without the batchable step: %j', (results) => {
    expect(() => detect(results, 'analyze', 'work_')).toThrow('Missing batchable step dependency: analyze');
  });

  it('cannot be told without a worker', () => {
    expect(() => detect({ analyze: outcome('create_batches') }, 'analyze', 'work_')).toThrow(
      "No batch workers found with prefix 'work_' and batchable step 'analyze' did not return NoBatches outcome. This indicates a workflow configuration error.",
    );
  });
});

describe('the result after the workers', () => {
  const scenario = { isNoBatches: false, batchableResult: {}, batchResults: { w_1: { n: 1 } }, workerCount: 1 };
  const none = { isNoBatches: true, batchableResult: {}, batchResults: {}, workerCount: 0 };

  it('without batches is zeros', () => {
    const expected = { worker_count: 0, scenario: 'no_batches', total: 0 };
    expect(mixin.noBatchesAggregationResult({ total: 0 })).toMatchObject({ success: true, result: expected });
    const aggregate = () => ({ called: true });
    expect(mixin.aggregateBatchWorkerResults(none, { total: 0 }, aggregate).result).toEqual(expected);
    expect(mixin.noBatchesAggregationResult().result).toEqual({ worker_count: 0, scenario: 'no_batches' });
  });

  it('is what the function makes of the results', () => {
    const aggregate = (results: Record<string, Record<string, unknown>>) => ({ names: Object.keys(results) });
    const result = mixin.aggregateBatchWorkerResults(scenario, { total: 0 }, aggregate);
    expect(result.isSuccess()).toBe(true);
    expect(result.result).toEqual({ names: ['w_1'], worker_count: 1, scenario: 'with_batches' });
  });

  it('is the results themselves without a function', () => {
    expect(mixin.aggregateBatchWorkerResults(scenario).result).toEqual({
      batch_results: { w_1: { n: 1 } },
      worker_count: 1,
      scenario: 'with_batches',
    });
  });
});

describe.each([
  ['the function', aggregateBatchResults],
  ['the static method', BatchableMixin.aggregateWorkerResults],
])('the sums of worker results, by %s', (_what, aggregate) => {
  it('skip workers without a result', () => {
    expect(aggregate([worker(5), null, undefined, { ...worker(3), items_skipped: 2 }])).toEqual({
      total_processed: 8,
      total_succeeded: 6,
      total_failed: 2,
      total_skipped: 2,
      batch_count: 2,
      success_rate: 0.75,
      errors: [],
      error_count: 0,
    });
  });

  it('are zeros for none', () => {
    expect(aggregate([])).toMatchObject({ total_processed: 0, batch_count: 0, success_rate: 0 });
  });

  it('read what batchWorkerSuccess returns', () => {
    const result = mixin.batchWorkerSuccess(mixin.createWorkerOutcome(4, 3, 1, 0, [], [{ row: 2 }])).result;
    expect(aggregate([result])).toMatchObject({ total_processed: 4, total_succeeded: 3, error_count: 1 });
  });

  it('keep a hundred errors, or as many as told, and count all', () => {
    const errors = Array.from({ length: 80 }, (_, row) => ({ row }));
    const results = [{ errors }, { errors }, { errors: 'none' }];
    expect(aggregate(results)).toMatchObject({ error_count: 160 });
    expect(aggregate(results).errors).toHaveLength(100);
    expect(aggregate(results, 3).errors).toEqual([{ row: 0 }, { row: 1 }, { row: 2 }]);
  });
});
