/**
 * The event a step arrives in.
 *
 * The host sends the flat camelCase form (`FfiStepEvent`). Handlers and tests written for the first design of the
 * TypeScript worker build a nested snake_case one (`NestedStepEvent`); `flattenEvent` turns it into the flat form,
 * so that the rest of the SDK knows only one shape.
 */

/** The task of a step. */
export interface TaskInfo {
  taskUuid: string;
  name: string;
  namespace: string;
  version: string;
  context: Record<string, unknown> | null;
  correlationId: string;
  priority?: number | null;
  initiator?: string | null;
  sourceSystem?: string | null;
  reason?: string | null;
  tags?: string[] | null;
  createdAt?: string;
}

/** The step, and how often it was tried. */
export interface WorkflowStepInfo {
  workflowStepUuid: string;
  name: string;
  retryable: boolean;
  attempts: number;
  maxAttempts: number;
  inputs?: Record<string, unknown> | null;
  checkpoint?: Checkpoint | null;
  createdAt?: string;
}

/** Progress a batch worker left behind in an earlier attempt. */
export interface Checkpoint {
  cursor?: unknown;
  items_processed?: number;
  accumulated_results?: Record<string, unknown> | null;
}

/** What the template says of the step. */
export interface StepDefinition {
  name: string;
  description?: string | null;
  dependencies: string[];
  timeoutSeconds?: number | null;
  handlerCallable: string;
  handlerMethod?: string | null;
  handlerResolver?: string | null;
  handlerInitialization: Record<string, unknown> | null;
  retryable?: boolean;
  maxAttempts?: number;
  backoff?: string;
  backoffBaseMs?: number | null;
  maxBackoffMs?: number | null;
}

/** A step to be run, as the host sends it. */
export interface FfiStepEvent {
  eventId: string;
  taskUuid: string;
  stepUuid: string;
  correlationId: string;
  task?: TaskInfo;
  workflowStep?: WorkflowStepInfo;
  stepDefinition?: StepDefinition;
  dependencyResults?: Record<string, unknown>;
}

/** A step to be run, as the first design had it. */
export interface NestedStepEvent {
  event_id?: string;
  task_uuid?: string;
  step_uuid?: string;
  correlation_id?: string;
  task_sequence_step: {
    task?: { task_uuid?: string; namespace_name?: string; [key: string]: unknown };
    workflow_step?: { workflow_step_uuid?: string; [key: string]: unknown };
    dependency_results?: { results?: Record<string, unknown> };
    step_definition?: {
      name?: string;
      /** `handler_class` is the older name of `callable`. */
      handler?: {
        callable?: string;
        handler_class?: string;
        method?: string | null;
        resolver?: string | null;
        initialization?: Record<string, unknown>;
      };
      [key: string]: unknown;
    };
  };
}

export function isNestedEvent(event: FfiStepEvent | NestedStepEvent): event is NestedStepEvent {
  return (event as { task_sequence_step?: unknown }).task_sequence_step !== undefined;
}

export function flattenEvent(event: NestedStepEvent): FfiStepEvent {
  const { task = {}, workflow_step = {}, dependency_results, step_definition = {} } = event.task_sequence_step;
  const { handler = {}, ...definition } = step_definition;
  const taskUuid = event.task_uuid ?? task.task_uuid ?? '';
  const correlationId = event.correlation_id ?? '';
  return {
    eventId: event.event_id ?? '',
    taskUuid,
    stepUuid: event.step_uuid ?? workflow_step.workflow_step_uuid ?? '',
    correlationId,
    task: { taskUuid, correlationId, namespace: task.namespace_name, ...camelKeys(task) } as TaskInfo,
    workflowStep: camelKeys(workflow_step) as unknown as WorkflowStepInfo,
    stepDefinition: {
      dependencies: [],
      ...camelKeys(definition),
      handlerCallable: handler.callable ?? handler.handler_class ?? '',
      handlerMethod: handler.method ?? null,
      handlerResolver: handler.resolver ?? null,
      handlerInitialization: handler.initialization ?? {},
    } as unknown as StepDefinition,
    dependencyResults: dependency_results?.results ?? {},
  };
}

/** Renames the keys of one object, not those of the values inside it: these belong to the handlers. */
function camelKeys(source: Record<string, unknown>): Record<string, unknown> {
  const target: Record<string, unknown> = {};
  for (const key of Object.keys(source)) {
    target[key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())] = source[key];
  }
  return target;
}
