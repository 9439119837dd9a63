/** Structured logging into the host. Not callable while the component is built. */
declare module 'tasker:handler/log@0.1.0' {
  export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error';
  export function enabled(level: Level): boolean;
  /** `fields` is a JSON object. */
  export function emit(level: Level, message: string, fields: string): void;
}

/** Facts about the running call, and progress that outlives it. */
declare module 'tasker:handler/execution@0.1.0' {
  /** Milliseconds until the host interrupts the call. */
  export function remainingMs(): number;
  export function cancellationRequested(): boolean;
  /** Throws an Error when it was not stored, whose `payload` says why. */
  export function saveCheckpoint(progress: {
    /** JSON text. */
    cursor: string;
    itemsProcessed: bigint;
    /** A JSON object. */
    accumulatedResults?: string | undefined;
  }): void;
}

/** Settings granted to the component; every value is JSON text. */
declare module 'tasker:handler/config@0.1.0' {
  export function get(key: string): string | undefined;
  export function entries(): Array<[string, string]>;
}

/**
 * The orchestrator, for packages whose tasker.toml asks for it (`[grants] client = true`). Answers are JSON text. Every
 * function throws an Error whose `payload` is a {@link ClientError}.
 */
declare module 'tasker:handler/client@0.1.0' {
  export interface ClientError {
    message: string;
    /** Whether the same call may succeed later. */
    recoverable: boolean;
  }

  export interface TaskRequest {
    /** Of the template. */
    name: string;
    /** No other than the package's own. */
    namespace?: string | undefined;
    version?: string | undefined;
    /** A JSON object. */
    context: string;
    initiator?: string | undefined;
    sourceSystem?: string | undefined;
    reason?: string | undefined;
    tags: string[];
    /** -100 to 100. */
    priority?: number | undefined;
    correlationId?: string | undefined;
    parentCorrelationId?: string | undefined;
    /** The same key is the same task, so that a step that is tried again does not submit twice. */
    idempotencyKey?: string | undefined;
  }

  export interface ListTasksQuery {
    /** 1 to 100; 50 when absent. */
    limit?: number | undefined;
    /** 0 to 1000. */
    offset?: number | undefined;
    /** No other than the package's own. */
    namespace?: string | undefined;
    status?: string | undefined;
  }

  export function submitTask(request: TaskRequest): string;
  export function getTask(task: string): string;
  export function listTasks(query: ListTasksQuery): string;
  export function cancelTask(task: string): string;
  export function listTaskSteps(task: string): string;
  export function getStep(task: string, step: string): string;
  export function getStepAuditHistory(task: string, step: string): string;
  export function healthCheck(): string;
}

/** Publication at once, for packages whose tasker.toml asks for it (`[grants] events = true`). */
declare module 'tasker:handler/events@0.1.0' {
  export type Delivery = 'durable' | 'fast' | 'broadcast';

  export interface OutgoingEvent {
    /** Dotted, of `a-z0-9_.`, such as "order.paid". */
    name: string;
    /** JSON text. */
    payload: string;
    /** A JSON object; "{}" when there is nothing to say. */
    metadata: string;
    delivery: Delivery;
    /** The same key of the same step is the same event. */
    idempotencyKey?: string | undefined;
  }

  export type PublishError =
    | { tag: 'not-granted' }
    | { tag: 'invalid'; val: string }
    | { tag: 'unavailable'; val: string };

  /** Answers the event's id. Throws an Error whose `payload` is a {@link PublishError}. */
  export function publish(event: OutgoingEvent): string;
}
