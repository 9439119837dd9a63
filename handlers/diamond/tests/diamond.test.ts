import { type FfiStepEvent, StepContext, type StepHandler } from '@tasker-systems/tasker';
import { describe, expect, it } from 'vitest';
import { DiamondBranchBHandler, DiamondBranchCHandler, DiamondEndHandler, DiamondStartHandler } from '../src/index.js';

function context(parts: Partial<FfiStepEvent>, handler: StepHandler): StepContext {
  return StepContext.fromFfiEvent(
    { eventId: 'event', taskUuid: 'task', stepUuid: 'step', correlationId: 'correlation', ...parts },
    handler.name,
  );
}

function withTaskContext(taskContext: Record<string, unknown>): StepContext {
  const task = {
    taskUuid: 'task',
    name: 'diamond_pattern',
    namespace: 'diamond_workflow',
    version: '1.0.0',
    context: taskContext,
    correlationId: 'correlation',
  };
  return context({ task }, new DiamondStartHandler());
}

function withResults(handler: StepHandler, results: Record<string, number>): StepContext {
  const dependencyResults = Object.fromEntries(
    Object.entries(results).map(([step, result]) => [step, { success: true, result: { result } }]),
  );
  return context({ dependencyResults }, handler);
}

describe('the start', () => {
  it('squares the even number of the task', async () => {
    const result = await new DiamondStartHandler().call(withTaskContext({ even_number: 6 }));
    expect(result).toMatchObject({ success: true, result: { result: 36 } });
  });

  it.each([[{}], [{ even_number: null }], [{ even_number: 7 }]])(
    'refuses the context %j for good',
    async (taskContext) => {
      const result = await new DiamondStartHandler().call(withTaskContext(taskContext));
      expect(result).toMatchObject({ success: false, errorType: 'validation_error', retryable: false });
    },
  );
});

describe.each([[new DiamondBranchBHandler()], [new DiamondBranchCHandler()]])('%s', (branch) => {
  it('squares the result of the start', async () => {
    const result = await branch.call(withResults(branch, { diamond_start: 36 }));
    expect(result).toMatchObject({ success: true, result: { result: 1_296 } });
  });

  it('fails for good without it', async () => {
    expect(await branch.call(withResults(branch, {}))).toMatchObject({ success: false, retryable: false });
  });
});

describe('the end', () => {
  const end = new DiamondEndHandler();

  it('multiplies the results of both branches', async () => {
    const result = await end.call(withResults(end, { diamond_branch_b: 1_296, diamond_branch_c: 1_296 }));
    expect(result).toMatchObject({ success: true, result: { result: 1_679_616 } });
  });

  it.each([[{}], [{ diamond_branch_b: 1_296 }], [{ diamond_branch_c: 1_296 }]])(
    'fails for good with the results %j alone',
    async (results) => {
      expect(await end.call(withResults(end, results))).toMatchObject({
        success: false,
        errorType: 'dependency_error',
        retryable: false,
      });
    },
  );
});
