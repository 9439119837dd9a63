/** The step event a handler under test is called with, as the host composes it. */

import type { FfiStepEvent } from '../types/step-event.js';

/** What the handler is to see; everything has a default. */
export interface StepOptions {
  /** The task's context. */
  input?: Record<string, unknown>;
  /** What the steps it depends on returned, by their names. */
  dependencies?: Record<string, unknown>;
  /** `handler.initialization` of the template. */
  config?: Record<string, unknown>;
  /** A batch worker's: its cursor and the like. */
  stepInputs?: Record<string, unknown>;
  /** Attempts spent before this one; default 0. */
  retryCount?: number;
  /** Default 3. */
  maxRetries?: number;
  /** The progress an earlier call left: `cursor`, `items_processed`, `accumulated_results`. */
  checkpoint?: { cursor?: unknown; items_processed?: number; accumulated_results?: Record<string, unknown> | null };
}

const TASK = '00000000-0000-7000-8000-000000000001';
const STEP = '00000000-0000-7000-8000-000000000002';
const CORRELATION = '00000000-0000-7000-8000-000000000003';

export function stepEvent(handlerName: string, options: StepOptions): FfiStepEvent {
  const { input = {}, dependencies = {}, config = {}, stepInputs = {}, retryCount = 0, maxRetries = 3 } = options;
  const envelope = (result: unknown) => ({ success: true, status: 'completed', result });
  return {
    eventId: '00000000-0000-7000-8000-000000000004',
    taskUuid: TASK,
    stepUuid: STEP,
    correlationId: CORRELATION,
    task: {
      taskUuid: TASK,
      name: 'test',
      namespace: 'test',
      version: '1.0.0',
      context: input,
      correlationId: CORRELATION,
    },
    workflowStep: {
      workflowStepUuid: STEP,
      name: 'test',
      retryable: true,
      attempts: retryCount,
      maxAttempts: maxRetries,
      inputs: stepInputs,
      checkpoint: options.checkpoint ?? null,
    },
    stepDefinition: {
      name: 'test',
      dependencies: Object.keys(dependencies),
      handlerCallable: handlerName,
      handlerInitialization: config,
    },
    dependencyResults: Object.fromEntries(
      Object.entries(dependencies).map(([step, result]) => [step, result === null ? null : envelope(result)]),
    ),
  };
}
