import {
  type CheckpointRuntime,
  clearCheckpointRuntime,
  StepContext,
  type StepHandlerResult,
  setCheckpointRuntime,
} from '@tasker-systems/tasker';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BillCustomersHandler, CloseMonthHandler, PlanBilling } from '../src/index.js';

type Data = Record<string, unknown>;

interface Parts {
  input?: Data;
  inputs?: Data;
  results?: Data;
  attempts?: number;
  checkpoint?: Data | null;
}

function context({ input = {}, inputs = {}, results = {}, attempts = 0, checkpoint = null }: Parts) {
  return StepContext.fromFfiEvent(
    {
      task_sequence_step: {
        task: { context: input },
        workflow_step: { inputs, attempts, checkpoint },
        dependency_results: { results },
      },
    },
    'test',
  );
}

const cursor = { batch_id: 'batch_001', start_cursor: 5, end_cursor: 10, batch_size: 5 };

/** Calls the worker as the host does: again after a checkpoint, once more after a failure that may pass. */
async function runWorker(input: Data): Promise<{ calls: StepHandlerResult[]; checkpoints: Data[] }> {
  const calls: StepHandlerResult[] = [];
  const checkpoints: Data[] = [];
  const save: CheckpointRuntime = (progress) =>
    checkpoints.push({
      cursor: JSON.parse(progress.cursor),
      items_processed: Number(progress.itemsProcessed),
      accumulated_results: JSON.parse(progress.accumulatedResults ?? 'null'),
    });
  setCheckpointRuntime(save);
  let attempts = 0;
  for (;;) {
    const step = { input, inputs: { cursor }, attempts, checkpoint: checkpoints.at(-1) ?? null };
    const result = await new BillCustomersHandler().call(context(step));
    calls.push(result);
    if (result.metadata.checkpoint_yield === true) {
      checkpoints.push(structuredClone(result.result as Data));
    } else if (result.isFailure() && result.retryable && attempts < 2) {
      attempts += 1;
    } else {
      return { calls, checkpoints };
    }
  }
}

const done = { billed: [5, 6, 7, 8, 9], billed_cents: 350, items_processed: 5, batch_id: 'batch_001' };
const positions = (checkpoints: Data[]) => checkpoints.map(({ cursor: at, items_processed }) => [at, items_processed]);

afterEach(clearCheckpointRuntime);

describe('the plan', () => {
  const plan = (input: Data) => new PlanBilling().call(context({ input }));

  it('shares the customers out, five to a worker unless told otherwise', async () => {
    expect((await plan({ customers: 12 })).result).toMatchObject({
      batch_processing_outcome: { worker_template_name: 'bill_customers', worker_count: 3, total_items: 12 },
    });
    expect((await plan({ customers: 12, batch_size: 6 })).result).toMatchObject({
      batch_processing_outcome: { worker_count: 2 },
    });
  });

  it('makes no worker for no customers', async () => {
    expect((await plan({ customers: 0 })).result).toMatchObject({ batch_processing_outcome: { worker_count: 0 } });
  });

  it.each([{}, { customers: -1 }, { customers: 1.5 }])('refuses %j for good', async (input) => {
    expect(await plan(input)).toMatchObject({ success: false, retryable: false });
  });
});

describe('the worker', () => {
  it('yields a checkpoint every few customers, and goes on from there', async () => {
    const { calls, checkpoints } = await runWorker({ checkpoint_every: 2 });
    expect(positions(checkpoints)).toEqual([
      [7, 2],
      [9, 4],
    ]);
    expect(calls).toHaveLength(3);
    expect(calls.at(-1)?.result).toMatchObject({ ...done, resumed_from: 9, attempts: 1 });
  });

  it('saves a checkpoint every few customers, in one call', async () => {
    const { calls, checkpoints } = await runWorker({ checkpoint_every: 2, checkpoint_by: 'save' });
    expect(positions(checkpoints)).toEqual([
      [7, 2],
      [9, 4],
    ]);
    expect(calls).toHaveLength(1);
    expect(calls.at(-1)?.result).toMatchObject({ ...done, resumed_from: null, attempts: 1 });
  });

  it.each(['yield', 'save'])('that fails after a checkpoint bills nobody twice (%s)', async (checkpoint_by) => {
    const { calls } = await runWorker({ checkpoint_every: 2, checkpoint_by, fail_after: 3 });
    const failures = calls.filter((result) => result.isFailure());
    expect(failures).toMatchObject([
      { errorType: 'connection_error', retryable: true, metadata: { customers_billed: 3, cursor: 8 } },
    ]);
    expect(calls.at(-1)?.result).toMatchObject({ ...done, attempts: 2 });
  });

  it('may fail for good', async () => {
    const { calls } = await runWorker({ fail_after: 0, fail_for_good: true });
    expect(calls).toMatchObject([{ errorType: 'permanent_error', retryable: false }]);
  });

  it('needs no checkpoint for a few customers', async () => {
    const { calls, checkpoints } = await runWorker({ checkpoint_every: 5 });
    expect(checkpoints).toEqual([]);
    expect(calls.at(-1)?.result).toMatchObject({ ...done, resumed_from: null });
  });

  it('does nothing as a placeholder, and fails for good without a batch', async () => {
    const handler = new BillCustomersHandler();
    const placeholder = { inputs: { cursor: { batch_id: '000' }, is_no_op: true } };
    expect((await handler.call(context(placeholder))).result).toMatchObject({ no_op: true });
    expect(await handler.call(context({}))).toMatchObject({ errorType: 'batch_error', retryable: false });
  });
});

describe('the end of the month', () => {
  const close = async (results: Data) => (await new CloseMonthHandler().call(context({ results }))).result;
  let worker: Data;

  beforeEach(() => {
    worker = { result: { items_processed: 2, billed: [0, 1], billed_cents: 10 } };
  });

  it('adds up the bills', async () => {
    const other = { result: { items_processed: 1, billed: [2], billed_cents: 20 } };
    expect(await close({ bill_customers_batch_001: other, bill_customers_batch_000: worker })).toEqual({
      customers_billed: 3,
      billed: [0, 1, 2],
      billed_cents: 30,
      worker_count: 2,
      billed_twice: [],
    });
  });

  it('would notice a customer who was billed twice', async () => {
    expect(await close({ bill_customers_a: worker, bill_customers_b: worker })).toMatchObject({ billed_twice: [0, 1] });
  });

  it('is empty without customers', async () => {
    expect(await close({ bill_customers_000: { result: { no_op: true } } })).toMatchObject({
      customers_billed: 0,
      billed_cents: 0,
      worker_count: 0,
    });
  });
});
