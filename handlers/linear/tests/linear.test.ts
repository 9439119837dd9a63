import { type FfiStepEvent, StepContext, type StepHandler } from '@tasker-systems/tasker';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { LinearStep1Handler, LinearStep2Handler, LinearStep3Handler, LinearStep4Handler } from '../src/index.js';

function context(parts: Partial<FfiStepEvent>, handler: StepHandler): StepContext {
  return StepContext.fromFfiEvent(
    { eventId: 'event', taskUuid: 'task', stepUuid: 'step', correlationId: 'correlation', ...parts },
    handler.name,
  );
}

function withTaskContext(taskContext: Record<string, unknown>): StepContext {
  const task = {
    taskUuid: 'task',
    name: 'mathematical_sequence',
    namespace: 'linear_workflow',
    version: '1.0.0',
    context: taskContext,
    correlationId: 'correlation',
  };
  return context({ task }, new LinearStep1Handler());
}

beforeEach(() => {
  vi.spyOn(console, 'log').mockImplementation(() => {});
});

describe('the first step', () => {
  it('squares the even number of the task', async () => {
    const result = await new LinearStep1Handler().call(withTaskContext({ even_number: 6 }));
    expect(result).toMatchObject({ success: true, result: { result: 36 } });
  });

  it.each([[{}], [{ even_number: null }], [{ even_number: 7 }], [{ even_number: 2.5 }], [{ even_number: 'six' }]])(
    'refuses the context %j for good',
    async (taskContext) => {
      const result = await new LinearStep1Handler().call(withTaskContext(taskContext));
      expect(result).toMatchObject({ success: false, errorType: 'validation_error', retryable: false });
    },
  );
});

describe.each([
  [new LinearStep2Handler(), 'linear_step_1', 36, 1_296],
  [new LinearStep3Handler(), 'linear_step_2', 1_296, 1_679_616],
  [new LinearStep4Handler(), 'linear_step_3', 1_679_616, 2_821_109_907_456],
])('%s', (handler, previous, before, after) => {
  it(`squares the result of ${previous}`, async () => {
    const dependencyResults = { [previous]: { success: true, result: { result: before } } };
    const result = await handler.call(context({ dependencyResults }, handler));
    expect(result).toMatchObject({ success: true, result: { result: after } });
  });

  it(`fails for good without the result of ${previous}`, async () => {
    expect(await handler.call(context({}, handler))).toMatchObject({
      success: false,
      errorMessage: `Missing result of ${previous}`,
      errorType: 'dependency_error',
      retryable: false,
    });
  });
});
