/**
 * Who answers the client: in a component whose package asks for it (`[grants] client = true`) the host, in a test
 * whatever stands in for it, else nobody. Importing the host's interface is a matter of the component's world, so what
 * does that is not here, and a handler that uses the client builds without the grant.
 */

/** What `tasker:handler/client` has; answers are JSON text. */
export interface ClientRuntime {
  submitTask(request: TaskSubmission): string;
  getTask(task: string): string;
  listTasks(query: TaskQuery): string;
  cancelTask(task: string): string;
  listTaskSteps(task: string): string;
  getStep(task: string, step: string): string;
  getStepAuditHistory(task: string, step: string): string;
  healthCheck(): string;
}

/** A task to be created, in the form the host reads. */
export interface TaskSubmission {
  name: string;
  namespace?: string | undefined;
  version?: string | undefined;
  /** A JSON object. */
  context: string;
  initiator?: string | undefined;
  sourceSystem?: string | undefined;
  reason?: string | undefined;
  tags: string[];
  priority?: number | undefined;
  correlationId?: string | undefined;
  parentCorrelationId?: string | undefined;
  idempotencyKey?: string | undefined;
}

/** Which tasks are listed, in the form the host reads. */
export interface TaskQuery {
  limit?: number | undefined;
  offset?: number | undefined;
  namespace?: string | undefined;
  status?: string | undefined;
}

/** A call of the client that failed. */
export class TaskerClientError extends Error {
  /** Whether the same call may succeed later. */
  readonly recoverable: boolean;

  constructor(message: string, recoverable = false) {
    super(message);
    this.name = 'TaskerClientError';
    this.recoverable = recoverable;
  }
}

let installed: ClientRuntime | null = null;

/** Says who answers the client; a component with the grant does it by itself. */
export function setClientRuntime(runtime: ClientRuntime): void {
  installed = runtime;
}

/** Leaves nobody to answer: the client throws. */
export function clearClientRuntime(): void {
  installed = null;
}

/** The way to whoever answers; there is one. */
export interface ClientLayer {
  /** @throws TaskerClientError when nobody does */
  runtime(): ClientRuntime;
}

export const hostLayer: ClientLayer = {
  runtime() {
    if (installed === null) {
      throw new TaskerClientError('client capability not granted', false);
    }
    return installed;
  },
};
