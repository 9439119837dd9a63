import { StepContext } from '@tasker-systems/tasker';
import { describe, expect, it } from 'vitest';
import { AggregateInventoryHandler, AnalyzeCsvHandler, ProcessCsvRowsHandler } from '../src/index.js';

type Data = Record<string, unknown>;

function context({ input = {}, inputs = {}, results = {} }: { input?: Data; inputs?: Data; results?: Data }) {
  return StepContext.fromFfiEvent(
    {
      task_sequence_step: {
        task: { context: input },
        workflow_step: { inputs },
        dependency_results: { results },
      },
    },
    'test',
  );
}

const csv = ['sku,quantity,price_cents', 'MUG,2,500', 'CUP,1,250', 'POT,x,900', 'JAR,10,100', ''].join('\n');

describe('the analyzer', () => {
  const analyze = (input: Data) => new AnalyzeCsvHandler().call(context({ input }));

  it('shares the rows out to three workers, or as many as told', async () => {
    expect((await analyze({ csv })).result).toMatchObject({
      batch_processing_outcome: {
        type: 'create_batches',
        worker_template_name: 'process_csv_rows',
        worker_count: 2,
        cursor_configs: [
          { batch_id: '001', start_cursor: 0, end_cursor: 2, batch_size: 2 },
          { batch_id: '002', start_cursor: 2, end_cursor: 4, batch_size: 2 },
        ],
        total_items: 4,
      },
      total_rows: 4,
    });
    expect((await analyze({ csv, workers: 1 })).result).toMatchObject({
      batch_processing_outcome: { worker_count: 1 },
    });
  });

  it.each(['', '\n', 'sku,quantity,price_cents', 'sku,quantity,price_cents\n\n'])(
    'makes no batches of the text %j',
    async (empty) => {
      expect((await analyze({ csv: empty })).result).toEqual({
        batch_processing_outcome: { type: 'no_batches' },
        reason: 'no rows',
        total_rows: 0,
      });
    },
  );

  it('refuses a task without a text for good', async () => {
    expect(await analyze({})).toMatchObject({ errorType: 'validation_error', retryable: false });
  });
});

describe('a worker', () => {
  const work = (start: number, end: number, text = csv) => {
    const cursor = { batch_id: '007', start_cursor: start, end_cursor: end, batch_size: end - start };
    return new ProcessCsvRowsHandler().call(context({ input: { csv: text }, inputs: { cursor, is_no_op: false } }));
  };

  it('counts the value of its rows', async () => {
    expect((await work(0, 2)).result).toEqual({
      batch_id: '007',
      items_processed: 2,
      items_succeeded: 2,
      items_failed: 0,
      errors: [],
      value_cents: 1250,
    });
  });

  it('leaves a row with a bad number out', async () => {
    expect((await work(2, 4)).result).toMatchObject({
      items_succeeded: 1,
      items_failed: 1,
      errors: [{ row: 2, message: 'not a product: POT,x,900' }],
      value_cents: 1000,
    });
  });

  it('fails for good on a row of another shape', async () => {
    await expect(work(4, 5, `${csv}BAD,1\n`)).rejects.toMatchObject({
      message: 'Row 4 has 2 columns, not sku, quantity, price_cents',
      retryable: false,
    });
  });

  it('does nothing as a placeholder', async () => {
    const inputs = { cursor: { batch_id: '000', start_cursor: 0, end_cursor: 0, batch_size: 0 }, is_no_op: true };
    const result = await new ProcessCsvRowsHandler().call(context({ inputs }));
    expect(result.result).toMatchObject({ batch_id: '000', no_op: true });
  });

  it('fails for good without a batch', async () => {
    expect(await new ProcessCsvRowsHandler().call(context({}))).toMatchObject({ errorType: 'batch_error' });
  });
});

describe('the aggregation', () => {
  const aggregate = (results: Data) => new AggregateInventoryHandler().call(context({ results }));
  const analyzed = (type: string) => ({ analyze_csv: { result: { batch_processing_outcome: { type } } } });

  it('adds up what the workers left', async () => {
    const worker = { items_processed: 2, items_succeeded: 1, items_failed: 1, errors: [{ row: 0 }], value_cents: 250 };
    const result = await aggregate({
      ...analyzed('create_batches'),
      process_csv_rows_001: { result: worker },
      process_csv_rows_002: { result: worker },
    });
    expect(result.result).toEqual({
      total_processed: 4,
      total_succeeded: 2,
      total_failed: 2,
      total_skipped: 0,
      batch_count: 2,
      success_rate: 0.5,
      errors: [{ row: 0 }, { row: 0 }],
      error_count: 2,
      value_cents: 500,
      worker_count: 2,
      scenario: 'with_batches',
    });
  });

  it('is zeros without batches', async () => {
    const results = { ...analyzed('no_batches'), process_csv_rows_000: { result: { no_op: true } } };
    expect((await aggregate(results)).result).toMatchObject({
      total_processed: 0,
      value_cents: 0,
      worker_count: 0,
      scenario: 'no_batches',
    });
  });
});
