/** Step events and step contexts to call handlers with. */

import type { WitDispatchError, WitFailure, WitStepContext, WitStepOutcome } from '../src/component/wit.js';
import { type FfiStepEvent, type NestedStepEvent, StepContext } from '../src/index.js';

export const TASK = '0198a000-0000-7000-8000-000000000001';
export const STEP = '0198a000-0000-7000-8000-000000000002';
export const CORRELATION = '0198a000-0000-7000-8000-000000000003';

/** The event as the host composes it. */
export function flatEvent(changes: Partial<FfiStepEvent> = {}): FfiStepEvent {
  return {
    eventId: '0198a000-0000-7000-8000-000000000004',
    taskUuid: TASK,
    stepUuid: STEP,
    correlationId: CORRELATION,
    task: {
      taskUuid: TASK,
      name: 'orders',
      namespace: 'shop',
      version: '1.0.0',
      context: { order_id: 7, note: null },
      correlationId: CORRELATION,
    },
    workflowStep: {
      workflowStepUuid: STEP,
      name: 'charge',
      retryable: true,
      attempts: 1,
      maxAttempts: 5,
      inputs: { shard: 3 },
    },
    stepDefinition: {
      name: 'charge',
      dependencies: ['validate'],
      handlerCallable: 'Shop.Charge',
      handlerMethod: null,
      handlerResolver: null,
      handlerInitialization: { currency: 'EUR' },
    },
    dependencyResults: {
      validate: { stepUuid: 'u', success: true, status: 'completed', result: { total: { cents: 1250 } } },
    },
    ...changes,
  };
}

/** A context with nothing in it but what is given. */
export function stepContext({
  input = {},
  config = {},
  inputs = {},
  dependencies = {},
  attempts = 0,
  checkpoint = null,
}: {
  input?: Record<string, unknown>;
  config?: Record<string, unknown>;
  inputs?: Record<string, unknown>;
  dependencies?: Record<string, unknown>;
  attempts?: number;
  checkpoint?: Record<string, unknown> | null;
} = {}): StepContext {
  const { task, workflowStep, stepDefinition, ...event } = flatEvent();
  return StepContext.fromFfiEvent(
    {
      ...event,
      task: { ...(task as NonNullable<typeof task>), context: input },
      workflowStep: { ...(workflowStep as NonNullable<typeof workflowStep>), attempts, inputs, checkpoint },
      stepDefinition: { ...(stepDefinition as NonNullable<typeof stepDefinition>), handlerInitialization: config },
      dependencyResults: dependencies,
    },
    'Shop.Charge',
  );
}

/** The same event in the nested snake_case form. */
export function nestedEvent(): NestedStepEvent {
  return {
    event_id: '0198a000-0000-7000-8000-000000000004',
    task_uuid: TASK,
    step_uuid: STEP,
    correlation_id: CORRELATION,
    task_sequence_step: {
      task: {
        task_uuid: TASK,
        name: 'orders',
        namespace_name: 'shop',
        version: '1.0.0',
        context: { order_id: 7, note: null },
      },
      workflow_step: {
        workflow_step_uuid: STEP,
        name: 'charge',
        retryable: true,
        attempts: 1,
        max_attempts: 5,
        inputs: { shard: 3 },
      },
      dependency_results: { results: { validate: { result: { total: { cents: 1250 } } } } },
      step_definition: {
        name: 'charge',
        dependencies: ['validate'],
        handler: { callable: 'Shop.Charge', initialization: { currency: 'EUR' } },
      },
    },
  };
}

/** The step context as the component's bindings pass it. */
export function witContext(
  callable: string,
  { method, resolver, event = flatEvent() }: { method?: string; resolver?: string; event?: unknown } = {},
): WitStepContext {
  return {
    handler: { callable, method, resolver },
    attempts: 1,
    maxAttempts: 5,
    timeBudgetMs: 30_000,
    event: typeof event === 'string' ? event : JSON.stringify(event),
  };
}

/** What a call failed with; fails the test when it did not. */
export async function failureOf(call: Promise<WitStepOutcome>): Promise<WitFailure> {
  const outcome = await call;
  if (outcome.tag !== 'failure') {
    throw new Error(`the call succeeded: ${JSON.stringify(outcome.val)}`);
  }
  return outcome.val;
}

/** What a call gave; fails the test when it failed. */
export async function successOf(
  call: Promise<WitStepOutcome>,
): Promise<{ result: unknown; metadata: Record<string, unknown> }> {
  const outcome = await call;
  if (outcome.tag !== 'success') {
    throw new Error(`the call failed: ${JSON.stringify(outcome.val)}`);
  }
  return { result: JSON.parse(outcome.val.result), metadata: JSON.parse(outcome.val.metadata) };
}

/** The dispatch error a call threw; fails the test when it threw none. */
export async function dispatchErrorOf(call: () => WitStepOutcome | Promise<WitStepOutcome>): Promise<WitDispatchError> {
  let outcome: WitStepOutcome;
  try {
    outcome = await call();
  } catch (error) {
    return error as WitDispatchError;
  }
  throw new Error(`the call reached a handler: ${JSON.stringify(outcome)}`);
}
