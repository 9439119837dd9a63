/** Handlers run in tests as in a component. */

import { afterEach, describe, expect, it } from 'vitest';
import {
  clearCheckpointRuntime,
  clearLoggingRuntime,
  defineHandler,
  type LoggingRuntime,
  logInfo,
  logTrace,
  PermanentError,
  type StepContext,
  StepHandler,
  StepHandlerResult,
  saveCheckpoint,
  setCheckpointRuntime,
  setLoggingRuntime,
} from '../src/index.js';
import { runHandler } from '../src/testing/index.js';
import { Charge, Unbuildable } from './handlers.js';

/** Returns what it sees. */
class Look extends StepHandler {
  static override handlerName = 'Shop.Look';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const { inputData, stepConfig, stepInputs, retryCount, maxRetries, checkpointCursor, handlerName } = context;
    const total = context.getDependencyResult('validate');
    const none = context.getDependencyResult('none');
    return this.success({
      inputData,
      stepConfig,
      stepInputs,
      retryCount,
      maxRetries,
      checkpointCursor,
      total,
      none,
      handlerName,
    });
  }
}

const run = (work: (context: StepContext) => unknown, options = {}) =>
  runHandler(
    class extends StepHandler {
      static override handlerName = 'Shop.Work';
      async call(context: StepContext) {
        return (await work(context)) as StepHandlerResult;
      }
    },
    options,
  );

describe('a handler under test', () => {
  it('sees the step that was made for it', async () => {
    const { result } = await runHandler(Look, {
      input: { order_id: 7 },
      dependencies: { validate: { total: 12 }, none: null },
      config: { currency: 'EUR' },
      stepInputs: { shard: 3 },
      retryCount: 2,
      maxRetries: 5,
      checkpoint: { cursor: 40, items_processed: 40 },
    });
    expect(result).toEqual({
      inputData: { order_id: 7 },
      stepConfig: { currency: 'EUR' },
      stepInputs: { shard: 3 },
      retryCount: 2,
      maxRetries: 5,
      checkpointCursor: 40,
      total: { total: 12 },
      none: null,
      handlerName: 'Shop.Look',
    });
  });

  it('sees a first attempt at an empty step by default', async () => {
    expect((await runHandler(Look)).result).toMatchObject({
      inputData: {},
      retryCount: 0,
      maxRetries: 3,
      checkpointCursor: null,
    });
  });

  it('may be a class, a function’s or an instance, and run another method', async () => {
    expect(await runHandler(Charge)).toMatchObject({ success: true, result: { entry: 'call' } });
    expect(await runHandler(Charge, { method: 'refund' })).toMatchObject({ result: { entry: 'refund' } });
    expect(await runHandler(new Charge())).toMatchObject({ result: { entry: 'call' } });
    const Double = defineHandler('double', { inputs: { n: 'n' } }, async ({ n }) => ({ n: Number(n) * 2 }));
    expect(await runHandler(Double, { input: { n: 4 } })).toMatchObject({ result: { n: 8 } });
  });

  it('fails as the host would see it', async () => {
    expect(
      await run(() => StepHandlerResult.failure('no stock', 'stock_error', false, { sku: 1 }, 'E7')),
    ).toMatchObject({
      success: false,
      result: null,
      metadata: { sku: 1 },
      error: { message: 'no stock', type: 'stock_error', code: 'E7', retryable: false },
    });
    const thrown = await run(() => {
      throw new PermanentError('gone', { sku: 1 });
    });
    expect(thrown).toMatchObject({
      success: false,
      error: { message: 'gone', retryable: false },
      metadata: { sku: 1 },
    });
    expect(await run(() => 7)).toMatchObject({ error: { type: 'invalid_result', retryable: false } });
    expect(await run(() => StepHandlerResult.success({ n: 1n }))).toMatchObject({
      error: { type: 'SERIALIZATION_ERROR', retryable: false },
    });
    expect(await run(() => StepHandlerResult.failure('late', 'timeout'))).toMatchObject({ error: { type: 'timeout' } });
  });

  it('keeps what it logs, and the progress it saves and yields', async () => {
    const yielded = StepHandlerResult.success(
      { type: 'checkpoint_yield', cursor: 4, items_processed: 4, accumulated_results: { sum: 10 } },
      { checkpoint_yield: true },
    );
    const outcome = await run(() => {
      logTrace('begun');
      saveCheckpoint({ page: 2 }, 2);
      logInfo('half way', { items: 2, none: undefined });
      return yielded;
    });
    expect(outcome).toEqual({
      success: true,
      result: null,
      metadata: {},
      error: null,
      checkpoint: { cursor: 4, itemsProcessed: 4, accumulatedResults: { sum: 10 } },
      saved: [{ cursor: { page: 2 }, itemsProcessed: 2, accumulatedResults: null }],
      logs: [
        { level: 'trace', message: 'begun', fields: {} },
        { level: 'info', message: 'half way', fields: { items: 2 } },
      ],
    });
  });

  it('that cannot be reached says why', async () => {
    await expect(runHandler(Unbuildable)).rejects.toThrow(/handler-init-failed: Shop\.Unbuildable: .*no handler today/);
    await expect(runHandler(Charge, { method: 'nothing' })).rejects.toThrow('method-not-found: Shop.Charge, nothing');
    class Nameless extends StepHandler {
      async call() {
        return this.success({});
      }
    }
    await expect(runHandler(Nameless)).rejects.toThrow('Nameless has no static handlerName');
  });
});

describe('what a test had installed', () => {
  afterEach(() => {
    clearLoggingRuntime();
    clearCheckpointRuntime();
  });

  it('is there again when the handler is done', async () => {
    const seen: unknown[] = [];
    setLoggingRuntime({ logInfo: (message: string) => seen.push(message) } as unknown as LoggingRuntime);
    setCheckpointRuntime(() => seen.push('saved'));
    await run(() => {
      logInfo('inside');
      return StepHandlerResult.success({});
    });
    logInfo('outside');
    saveCheckpoint(1, 1);
    expect(seen).toEqual(['outside', 'saved']);
  });
});
