import type {
  CancelTaskResponse,
  HealthCheckResponse,
  PaginationInfo,
  StepAuditResponse,
  StepResponse,
  TaskListResponse,
  TaskResponse,
} from './responses.js';
import { type ClientLayer, type ClientRuntime, hostLayer, TaskerClientError } from './runtime.js';

/** A task to be created; only its name need be said. */
export interface CreateTaskOptions {
  /** Of the template. */
  name: string;
  /** Default: the package's own, the only one there is for it. */
  namespace?: string;
  /** Default {}. */
  context?: Record<string, unknown>;
  /** Default `1.0.0`. */
  version?: string;
  /** Default `tasker-core-typescript`. */
  initiator?: string;
  /** Default `tasker-core`. */
  sourceSystem?: string;
  /** Default `Task requested`. */
  reason?: string;
  /** Default []. */
  tags?: string[];
  /** -100 to 100. */
  priority?: number;
  /** Default: a new one. */
  correlationId?: string;
  /** Default: the correlation of the running step. */
  parentCorrelationId?: string;
  /** A request with the key of an earlier one means the earlier one's task: steps are tried again, so give one. */
  idempotencyKey?: string;
}

/** Which tasks are listed, and how many. */
export interface ListTasksOptions {
  /** 1 to 100; default 50. */
  limit?: number;
  /** Default 0. */
  offset?: number;
  /** No other than the package's own. */
  namespace?: string;
  /** Such as `complete`. */
  status?: string;
}

/**
 * The orchestration, as far as the tasks of the package's own namespace go. Calls wait for their answer, and that time
 * counts against the step's. Needs `[grants] client = true` in tasker.toml, and the operator's consent.
 *
 * Every method throws a TaskerClientError when it fails.
 */
export class TaskerClient {
  /** @param layer what `getFfiLayer` gives, and the default; in a test, what stands in for it */
  constructor(private readonly layer: ClientLayer = hostLayer) {}

  createTask(options: CreateTaskOptions): TaskResponse {
    return this.ask((runtime) =>
      runtime.submitTask({
        name: options.name,
        namespace: options.namespace,
        version: options.version ?? '1.0.0',
        context: JSON.stringify(options.context ?? {}),
        initiator: options.initiator ?? 'tasker-core-typescript',
        sourceSystem: options.sourceSystem ?? 'tasker-core',
        reason: options.reason ?? 'Task requested',
        tags: options.tags ?? [],
        priority: options.priority,
        correlationId: options.correlationId ?? crypto.randomUUID(),
        parentCorrelationId: options.parentCorrelationId,
        idempotencyKey: options.idempotencyKey,
      }),
    );
  }

  getTask(taskUuid: string): TaskResponse {
    return this.ask((runtime) => runtime.getTask(taskUuid));
  }

  listTasks({ limit = 50, offset = 0, namespace, status }: ListTasksOptions = {}): TaskListResponse {
    const { tasks, pagination } = this.ask<TaskListResponse>((runtime) =>
      runtime.listTasks({ limit, offset, namespace, status }),
    );
    const asked: PaginationInfo = { ...pagination, limit, offset, has_more: pagination.has_next };
    return { tasks, pagination: asked };
  }

  /** Ends a task and its unfinished steps. */
  cancelTask(taskUuid: string): CancelTaskResponse {
    this.ask((runtime) => runtime.cancelTask(taskUuid));
    return { cancelled: true };
  }

  /** In the order of the template. */
  listTaskSteps(taskUuid: string): StepResponse[] {
    return this.ask((runtime) => runtime.listTaskSteps(taskUuid));
  }

  getStep(taskUuid: string, stepUuid: string): StepResponse {
    return this.ask((runtime) => runtime.getStep(taskUuid, stepUuid));
  }

  /** The changes of a step, oldest first. */
  getStepAuditHistory(taskUuid: string, stepUuid: string): StepAuditResponse[] {
    return this.ask((runtime) => runtime.getStepAuditHistory(taskUuid, stepUuid));
  }

  healthCheck(): HealthCheckResponse {
    return this.ask((runtime) => runtime.healthCheck());
  }

  private ask<T>(call: (runtime: ClientRuntime) => string): T {
    try {
      return JSON.parse(call(this.layer.runtime())) as T;
    } catch (error) {
      throw clientError(error);
    }
  }
}

/** The bindings throw an Error whose payload is the `err` of the result. */
function clientError(error: unknown): TaskerClientError {
  if (error instanceof TaskerClientError) {
    return error;
  }
  const { message, payload } = error as { message?: string; payload?: { message?: string; recoverable?: boolean } };
  return new TaskerClientError(payload?.message ?? message ?? 'Unknown client error', payload?.recoverable ?? false);
}

let shared: TaskerClient | null = null;

/** The one way to the host; for `new TaskerClient(...)`. */
export async function getFfiLayer(): Promise<ClientLayer> {
  return hostLayer;
}

/** The one client. */
export async function getTaskerClient(): Promise<TaskerClient> {
  shared ??= new TaskerClient(await getFfiLayer());
  return shared;
}
