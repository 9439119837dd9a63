import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { dispatch } from '../src/component/dispatch.js';
import { installHostCheckpoint } from '../src/component/host-checkpoint.js';
import {
  BatchableMixin,
  CheckpointError,
  clearCheckpointRuntime,
  ExplicitMappingResolver,
  ResolverChain,
  StepHandler,
  StepHandlerResult,
  saveCheckpoint,
  setCheckpointRuntime,
} from '../src/index.js';
import { hostExecution } from './host/execution.js';
import { failureOf, successOf, witContext } from './support.js';

const { checkpointYield } = new BatchableMixin();

/** The outcome of a call of a handler that returns this. */
function returning(result: unknown) {
  class Handler extends StepHandler {
    static override handlerName = 'x';
    async call(): Promise<StepHandlerResult> {
      return result as StepHandlerResult;
    }
  }
  const explicit = new ExplicitMappingResolver();
  explicit.register('x', Handler);
  return dispatch(ResolverChain.withResolvers([explicit]), witContext('x'));
}

describe('a checkpoint a handler yields', () => {
  it('is a success that says so', () => {
    const result = checkpointYield(40, 20, { sum: 7 });
    expect(result).toMatchObject({ success: true, metadata: { checkpoint_yield: true, batch_worker: true } });
    expect(result.result).toEqual({
      type: 'checkpoint_yield',
      cursor: 40,
      items_processed: 20,
      accumulated_results: { sum: 7 },
    });
    expect(checkpointYield(40, 20).result).not.toHaveProperty('accumulated_results');
  });

  it('is a checkpoint to the host, not a success', async () => {
    expect(await returning(checkpointYield({ page: 2 }, 20, { sum: 7 }))).toEqual({
      tag: 'checkpoint',
      val: { cursor: '{"page":2}', itemsProcessed: 20n, accumulatedResults: '{"sum":7}' },
    });
  });

  it.each([
    [40, '40'],
    ['2026-01-01T00:00:00Z', '"2026-01-01T00:00:00Z"'],
    [true, 'true'],
    [[], '[]'],
    [null, '0'],
    [undefined, '0'],
  ])('has the cursor %j as %s', async (cursor, text) => {
    expect(await returning(checkpointYield(cursor, 1))).toMatchObject({ val: { cursor: text } });
  });

  it('counts no items where it does not say', async () => {
    const result = StepHandlerResult.success({ cursor: 1 }, { checkpoint_yield: true });
    expect(await returning(result)).toEqual({
      tag: 'checkpoint',
      val: { cursor: '1', itemsProcessed: 0n, accumulatedResults: undefined },
    });
    expect(await returning(new StepHandlerResult({ success: true, metadata: { checkpoint_yield: true } }))).toEqual({
      tag: 'checkpoint',
      val: { cursor: '0', itemsProcessed: 0n, accumulatedResults: undefined },
    });
  });

  it.each([[[1]], ['text'], [7], [null]])('keeps no partial results but an object: %j', async (accumulated) => {
    const result = checkpointYield(1, 1, accumulated as never);
    expect(await returning(result)).toMatchObject({ tag: 'checkpoint', val: { accumulatedResults: undefined } });
  });

  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;

  it.each<[string, StepHandlerResult, RegExp]>([
    ['its count is negative', checkpointYield(1, -1), /its items_processed is -1: count the items/],
    ['its count is not whole', checkpointYield(1, 2.5), /its items_processed is 2.5/],
    ['its count is no number', checkpointYield(1, '7' as never), /its items_processed is a string/],
    ['its count is beyond counting', checkpointYield(1, 2 ** 60), /its items_processed is 115/],
    ['its cursor has no JSON form', checkpointYield(() => 1, 1), /its cursor is a function/],
    ['its cursor is a BigInt', checkpointYield(1n, 1), /BigInt/],
    ['its partial results are cyclic', checkpointYield(1, 1, cycle), /cyclic|circular/],
  ])('fails for good when %s', async (_why, result, message) => {
    expect(await failureOf(returning(result))).toMatchObject({
      message: expect.stringMatching(message),
      errorType: { tag: 'other', val: 'invalid_checkpoint' },
      retryable: false,
    });
    expect((await failureOf(returning(result))).message).toMatch(/^The checkpoint of handler x cannot be stored: /);
  });

  it.each([
    ['a failure', new StepHandlerResult({ success: false, metadata: { checkpoint_yield: true } }), 'failure'],
    ['a success that only has the word', StepHandlerResult.success({}, { checkpoint_yield: 'true' }), 'success'],
    ['a success with the type alone', StepHandlerResult.success({ type: 'checkpoint_yield' }), 'success'],
    ['a foreign success without metadata', { success: true, result: {} }, 'success'],
  ])('is not %s', async (_what, result, tag) => {
    expect((await returning(result)).tag).toBe(tag);
  });
});

describe('a checkpoint saved while the call goes on', () => {
  beforeEach(() => {
    installHostCheckpoint();
    hostExecution.checkpoints.length = 0;
    hostExecution.refusal = null;
  });
  afterEach(clearCheckpointRuntime);

  it('goes to the host', () => {
    saveCheckpoint({ id: 40 }, 20, { sum: 7 });
    saveCheckpoint(80, 40);
    expect(hostExecution.checkpoints).toEqual([
      { cursor: '{"id":40}', itemsProcessed: 20n, accumulatedResults: '{"sum":7}' },
      { cursor: '80', itemsProcessed: 40n, accumulatedResults: undefined },
    ]);
  });

  it('throws the reason when the host refuses it', () => {
    hostExecution.refusal = 'the lease is lost';
    expect(() => saveCheckpoint(1, 1)).toThrow(new CheckpointError('the lease is lost'));
  });

  it('never reaches the host when it cannot be stored', () => {
    expect(() => saveCheckpoint(1, -1)).toThrow('The checkpoint was not saved: its items_processed is -1');
    expect(hostExecution.checkpoints).toEqual([]);
  });

  it('fails the attempt when nobody catches it', async () => {
    hostExecution.refusal = 'the lease is lost';
    class Handler extends StepHandler {
      static override handlerName = 'x';
      async call(): Promise<StepHandlerResult> {
        saveCheckpoint(1, 1);
        return this.success({});
      }
    }
    const explicit = new ExplicitMappingResolver();
    explicit.register('x', Handler);
    const call = () => dispatch(ResolverChain.withResolvers([explicit]), witContext('x'));
    expect(await failureOf(call())).toMatchObject({
      message: 'The checkpoint was not saved: the lease is lost',
      errorType: { tag: 'other', val: 'CheckpointError' },
      retryable: true,
    });
    hostExecution.refusal = null;
    expect((await successOf(call())).result).toEqual({});
  });

  it('goes to what a test puts in the place of the host', () => {
    const save = vi.fn();
    setCheckpointRuntime(save);
    saveCheckpoint(1, 1);
    expect(save).toHaveBeenCalledWith({ cursor: '1', itemsProcessed: 1n, accumulatedResults: undefined });
    expect(hostExecution.checkpoints).toEqual([]);
  });

  it('says that there is no host where there is none', () => {
    clearCheckpointRuntime();
    expect(() => saveCheckpoint(1, 1)).toThrow(/^The checkpoint was not saved: there is no host/);
  });
});
