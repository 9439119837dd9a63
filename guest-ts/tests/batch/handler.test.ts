import { describe, expect, it } from 'vitest';
import {
  applyBatchable,
  type Batchable,
  BatchableMixin,
  BatchableStepHandler,
  StepHandler,
  type StepHandlerResult,
} from '../../src/index.js';

const METHODS: ReadonlyArray<keyof Batchable> = [
  'aggregateBatchWorkerResults',
  'batchAnalyzerSuccess',
  'batchWorkerSuccess',
  'checkpointYield',
  'createBatchOutcome',
  'createCursorConfig',
  'createCursorConfigs',
  'createCursorRanges',
  'createWorkerOutcome',
  'detectAggregationScenario',
  'getBatchContext',
  'getBatchWorkerInputs',
  'handleNoOpWorker',
  'noBatchesAggregationResult',
];

class Work extends BatchableStepHandler {
  static override handlerName = 'Csv.Work';
  static override handlerVersion = '3.0.0';

  async call(): Promise<StepHandlerResult> {
    return this.failure('no rows', 'batch_error', false);
  }

  // A handler may know better.
  override createCursorRanges(): ReturnType<Batchable['createCursorRanges']> {
    return [];
  }
}

class Plain extends StepHandler {
  static override handlerName = 'Csv.Plain';

  async call(): Promise<StepHandlerResult> {
    return this.success({});
  }
}

class Bound extends Plain {
  createBatchOutcome = BatchableMixin.prototype.createBatchOutcome.bind(this as unknown as BatchableMixin);
}

describe('a batchable handler', () => {
  it('is a step handler, with its name, version and results', async () => {
    const handler = new Work();
    expect(handler).toBeInstanceOf(StepHandler);
    expect(String(handler)).toBe('Work(name=Csv.Work, version=3.0.0)');
    expect(handler.capabilities).toEqual(['process']);
    expect(await handler.call()).toMatchObject({ errorType: 'batch_error', retryable: false });
  });

  it('may replace a method', () => {
    expect(new Work().createCursorRanges()).toEqual([]);
  });

  it('does not lend its methods to other handlers', () => {
    expect(METHODS.filter((name) => name in new Plain())).toEqual([]);
  });
});

describe.each([
  ['a BatchableStepHandler', new Work()],
  ['the mixin', new BatchableMixin()],
  ['a handler applyBatchable was called with', applyBatchable(new Plain())],
])('%s', (_what, owner) => {
  it.each(METHODS)('has the method %s', (method) => {
    expect(owner[method]).toBeTypeOf('function');
  });

  it('works apart from its object', () => {
    const { createBatchOutcome } = owner;
    expect(createBatchOutcome(2, 1).totalItems).toBe(2);
  });
});

it('applyBatchable gives back the handler itself', () => {
  const handler = new Plain();
  expect(applyBatchable(handler)).toBe(handler);
});

it('a handler may bind the methods it uses', () => {
  expect(new Bound().createBatchOutcome(2, 1).cursorConfigs).toHaveLength(2);
});
