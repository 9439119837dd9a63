import { describe, expect, it } from 'vitest';
import { type FfiStepEvent, StepContext } from '../src/index.js';
import { CORRELATION, flatEvent, nestedEvent, STEP, TASK } from './support.js';

const context = (changes: Partial<FfiStepEvent> = {}) => StepContext.fromFfiEvent(flatEvent(changes), 'Shop.Charge');

const bare: FfiStepEvent = { eventId: 'e', taskUuid: TASK, stepUuid: STEP, correlationId: CORRELATION };

function step(changes: Partial<NonNullable<FfiStepEvent['workflowStep']>>): StepContext {
  const event = flatEvent();
  return context({ workflowStep: { ...(event.workflowStep as NonNullable<typeof event.workflowStep>), ...changes } });
}

describe.each([
  ['flat camelCase', () => flatEvent()],
  ['nested snake_case', () => nestedEvent()],
])('a context made from the %s event', (_form, event) => {
  const made = StepContext.fromFfiEvent(event(), 'Shop.Charge');

  it('identifies the task, the step and the handler', () => {
    expect(made).toMatchObject({
      taskUuid: TASK,
      stepUuid: STEP,
      correlationId: CORRELATION,
      handlerName: 'Shop.Charge',
    });
  });

  it("carries the task's context, the step's configuration and inputs", () => {
    expect(made.inputData).toEqual({ order_id: 7, note: null });
    expect(made.stepConfig).toEqual({ currency: 'EUR' });
    expect(made.stepInputs).toEqual({ shard: 3 });
  });

  it('carries the results of the steps before', () => {
    expect(made.getDependencyResult('validate')).toEqual({ total: { cents: 1250 } });
  });

  it('counts the attempts', () => {
    expect(made.retryCount).toBe(1);
    expect(made.maxRetries).toBe(5);
  });

  it('shows the event in the flat form', () => {
    expect(made.event.workflowStep).toMatchObject({ workflowStepUuid: STEP, name: 'charge', maxAttempts: 5 });
    expect(made.event.task).toMatchObject({ taskUuid: TASK, name: 'orders', namespace: 'shop' });
    expect(made.event.stepDefinition).toMatchObject({
      name: 'charge',
      dependencies: ['validate'],
      handlerCallable: 'Shop.Charge',
      handlerMethod: null,
      handlerResolver: null,
    });
  });
});

describe('a nested event', () => {
  it('may name its handler by the older key handler_class', () => {
    const event = nestedEvent();
    event.task_sequence_step.step_definition = { handler: { handler_class: 'Shop.Old' } };
    expect(StepContext.fromFfiEvent(event, 'Shop.Old').event.stepDefinition?.handlerCallable).toBe('Shop.Old');
  });

  it('gives the identity of its task and step where the outer one is missing', () => {
    const { task_sequence_step } = nestedEvent();
    expect(StepContext.fromFfiEvent({ task_sequence_step }, 'x')).toMatchObject({ taskUuid: TASK, stepUuid: STEP });
  });

  it('keeps the keys of business data as they are', () => {
    const made = StepContext.fromFfiEvent(nestedEvent(), 'x');
    expect(made.inputData).toHaveProperty('order_id');
  });

  it('may be all but empty', () => {
    const made = StepContext.fromFfiEvent({ task_sequence_step: {} }, 'x');
    expect(made).toMatchObject({ inputData: {}, dependencyResults: {}, stepConfig: {}, stepInputs: {} });
  });
});

describe('a context made from an event that lacks its parts', () => {
  it('has empty data, no attempts and three of them at most', () => {
    expect(StepContext.fromFfiEvent(bare, 'x')).toMatchObject({
      inputData: {},
      dependencyResults: {},
      stepConfig: {},
      stepInputs: {},
      retryCount: 0,
      maxRetries: 3,
    });
  });

  it('takes null for absent', () => {
    const event = flatEvent();
    const made = StepContext.fromFfiEvent(
      {
        ...event,
        task: { ...(event.task as NonNullable<typeof event.task>), context: null },
        stepDefinition: {
          ...(event.stepDefinition as NonNullable<typeof event.stepDefinition>),
          handlerInitialization: null,
        },
      },
      'x',
    );
    expect(made.inputData).toEqual({});
    expect(made.stepConfig).toEqual({});
  });
});

describe('inputs', () => {
  it('are looked up by key, undefined where absent', () => {
    expect(context().getInput('order_id')).toBe(7);
    expect(context().getInput('missing')).toBeUndefined();
  });

  it('have a default for what is absent, not for null', () => {
    expect(context().getInputOr('missing', 'default')).toBe('default');
    expect(context().getInputOr('note', 'default')).toBeNull();
    expect(context().getInputOr('order_id', 0)).toBe(7);
  });

  it('are also called the task context', () => {
    const made = context();
    expect(made.taskContext).toBe(made.inputData);
  });
});

describe('configuration', () => {
  it('is looked up by key', () => {
    expect(context().getConfig('currency')).toBe('EUR');
    expect(context().getConfig('missing')).toBeUndefined();
  });
});

describe('the result of a dependency', () => {
  const dependencyResults = {
    wrapped: { success: true, result: { a: { b: 1 } } },
    bare: { a: 1 },
    scalar: 5,
    falsy: { result: 0 },
    nothing: null,
    wrapped_null: { result: null },
  };
  const made = context({ dependencyResults });

  it('comes without its envelope', () => {
    expect(made.getDependencyResult('wrapped')).toEqual({ a: { b: 1 } });
    expect(made.getDependencyResult('falsy')).toBe(0);
    expect(made.getDependencyResult('wrapped_null')).toBeNull();
  });

  it('comes as it is where there is no envelope', () => {
    expect(made.getDependencyResult('bare')).toEqual({ a: 1 });
    expect(made.getDependencyResult('scalar')).toBe(5);
  });

  it('is null when the step is absent or has none', () => {
    expect(made.getDependencyResult('missing')).toBeNull();
    expect(made.getDependencyResult('nothing')).toBeNull();
  });

  it('can be followed to a field', () => {
    expect(made.getDependencyField('wrapped', 'a', 'b')).toBe(1);
    expect(made.getDependencyField('wrapped')).toEqual({ a: { b: 1 } });
  });

  it('has null for a field whose way is interrupted, undefined for one missing at its end', () => {
    expect(made.getDependencyField('missing', 'a')).toBeNull();
    expect(made.getDependencyField('scalar', 'a')).toBeNull();
    expect(made.getDependencyField('wrapped', 'x', 'y')).toBeNull();
    expect(made.getDependencyField('wrapped', 'a', 'x')).toBeUndefined();
  });

  it('is listed under its step', () => {
    expect(made.getDependencyResultKeys()).toEqual(Object.keys(dependencyResults));
  });
});

describe('the results of all dependencies with a prefix', () => {
  it('come in order, unwrapped, without nulls', () => {
    const made = context({
      dependencyResults: {
        worker_2: { result: { n: 2 } },
        other: { result: { n: 9 } },
        worker_1: { n: 1 },
        worker_3: null,
        worker_4: { result: null },
      },
    });
    expect(made.getAllDependencyResults('worker_')).toEqual([{ n: 2 }, { n: 1 }]);
    expect(made.getAllDependencyResults('none_')).toEqual([]);
  });
});

describe('attempts', () => {
  it.each([
    [0, 3, false, false],
    [1, 3, true, false],
    [2, 3, true, true],
    [0, 1, false, true],
  ])('%i of %i: is a retry %s, is the last %s', (attempts, maxAttempts, isRetry, isLast) => {
    const made = step({ attempts, maxAttempts });
    expect(made.isRetry()).toBe(isRetry);
    expect(made.isLastRetry()).toBe(isLast);
  });
});

describe('the checkpoint', () => {
  it('is absent in a step that left none', () => {
    for (const made of [context(), step({ checkpoint: null }), StepContext.fromFfiEvent(bare, 'x')]) {
      expect(made.checkpoint).toBeNull();
      expect(made.checkpointCursor).toBeNull();
      expect(made.checkpointItemsProcessed).toBe(0);
      expect(made.accumulatedResults).toBeNull();
      expect(made.hasCheckpoint()).toBe(false);
    }
  });

  it('is read as it was stored', () => {
    const made = step({ checkpoint: { cursor: 40, items_processed: 40, accumulated_results: { sum: 2 } } });
    expect(made.checkpoint).toEqual({ cursor: 40, items_processed: 40, accumulated_results: { sum: 2 } });
    expect(made.checkpointCursor).toBe(40);
    expect(made.checkpointItemsProcessed).toBe(40);
    expect(made.accumulatedResults).toEqual({ sum: 2 });
    expect(made.hasCheckpoint()).toBe(true);
  });

  it('counts with the cursor 0, not with null', () => {
    expect(step({ checkpoint: { cursor: 0 } }).hasCheckpoint()).toBe(true);
    expect(step({ checkpoint: { cursor: null } }).hasCheckpoint()).toBe(false);
  });
});
