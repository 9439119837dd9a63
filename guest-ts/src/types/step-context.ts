import { type Checkpoint, type FfiStepEvent, flattenEvent, isNestedEvent, type NestedStepEvent } from './step-event.js';

/** What a step context is made of; `fromFfiEvent` makes it of an event. */
export interface StepContextParams {
  event: FfiStepEvent;
  taskUuid: string;
  stepUuid: string;
  correlationId: string;
  handlerName: string;
  inputData: Record<string, unknown>;
  dependencyResults: Record<string, unknown>;
  stepConfig: Record<string, unknown>;
  stepInputs: Record<string, unknown>;
  retryCount: number;
  maxRetries: number;
}

/** What a handler knows about the step it runs. */
export class StepContext {
  // Declared only: a field definition would be run once more for each of them, in every step.
  declare readonly event: FfiStepEvent;
  declare readonly taskUuid: string;
  declare readonly stepUuid: string;
  declare readonly correlationId: string;
  declare readonly handlerName: string;
  /** The task's context. */
  declare readonly inputData: Record<string, unknown>;
  /** Results of the steps this one depends on, by step name. */
  declare readonly dependencyResults: Record<string, unknown>;
  /** `handler.initialization` of the template. */
  declare readonly stepConfig: Record<string, unknown>;
  declare readonly stepInputs: Record<string, unknown>;
  /** Attempts spent before this one. */
  declare readonly retryCount: number;
  declare readonly maxRetries: number;

  constructor(params: StepContextParams) {
    this.event = params.event;
    this.taskUuid = params.taskUuid;
    this.stepUuid = params.stepUuid;
    this.correlationId = params.correlationId;
    this.handlerName = params.handlerName;
    this.inputData = params.inputData;
    this.dependencyResults = params.dependencyResults;
    this.stepConfig = params.stepConfig;
    this.stepInputs = params.stepInputs;
    this.retryCount = params.retryCount;
    this.maxRetries = params.maxRetries;
  }

  static fromFfiEvent(source: FfiStepEvent | NestedStepEvent, handlerName: string): StepContext {
    const event = isNestedEvent(source) ? flattenEvent(source) : source;
    const step = event.workflowStep;
    return new StepContext({
      event,
      taskUuid: event.taskUuid,
      stepUuid: event.stepUuid,
      correlationId: event.correlationId,
      handlerName,
      inputData: event.task?.context ?? {},
      dependencyResults: event.dependencyResults ?? {},
      stepConfig: event.stepDefinition?.handlerInitialization ?? {},
      stepInputs: step?.inputs ?? {},
      retryCount: step?.attempts ?? 0,
      maxRetries: step?.maxAttempts ?? 3,
    });
  }

  /** Another name for `inputData`. */
  get taskContext(): Record<string, unknown> {
    return this.inputData;
  }

  getInput<T = unknown>(key: string): T | undefined {
    return this.inputData[key] as T | undefined;
  }

  /** The default stands in for a missing value only; `null` is a value. */
  getInputOr<T = unknown>(key: string, defaultValue: T): T {
    const value = this.inputData[key];
    return value === undefined ? defaultValue : (value as T);
  }

  getConfig<T = unknown>(key: string): T | undefined {
    return this.stepConfig[key] as T | undefined;
  }

  /** The result of a step this one depends on, without its envelope; `null` when there is none. */
  getDependencyResult<T = unknown>(stepName: string): T | null {
    return unwrap(this.dependencyResults[stepName]) as T | null;
  }

  /** A value inside a dependency's result; `null` when the way to it does not exist. */
  getDependencyField<T = unknown>(stepName: string, ...path: string[]): T | null {
    let value: unknown = this.getDependencyResult(stepName);
    if (value === null || value === undefined) {
      return null;
    }
    for (const key of path) {
      if (typeof value !== 'object' || value === null) {
        return null;
      }
      value = (value as Record<string, unknown>)[key];
    }
    return value as T;
  }

  /** Results of every dependency whose name starts with the prefix, in order, absent ones left out. */
  getAllDependencyResults<T = unknown>(prefix: string): T[] {
    const results: T[] = [];
    for (const name of Object.keys(this.dependencyResults)) {
      if (name.startsWith(prefix)) {
        const result = this.getDependencyResult<T>(name);
        if (result !== null) {
          results.push(result);
        }
      }
    }
    return results;
  }

  getDependencyResultKeys(): string[] {
    return Object.keys(this.dependencyResults);
  }

  isRetry(): boolean {
    return this.retryCount > 0;
  }

  isLastRetry(): boolean {
    return this.retryCount >= this.maxRetries - 1;
  }

  get checkpoint(): Checkpoint | null {
    return this.event.workflowStep?.checkpoint ?? null;
  }

  get checkpointCursor(): unknown {
    return this.checkpoint?.cursor ?? null;
  }

  get checkpointItemsProcessed(): number {
    return this.checkpoint?.items_processed ?? 0;
  }

  get accumulatedResults(): Record<string, unknown> | null {
    return this.checkpoint?.accumulated_results ?? null;
  }

  hasCheckpoint(): boolean {
    return this.checkpointCursor !== null;
  }
}

function unwrap(dependency: unknown): unknown {
  if (dependency === null || dependency === undefined) {
    return null;
  }
  if (typeof dependency === 'object' && 'result' in dependency) {
    return dependency.result;
  }
  return dependency;
}
