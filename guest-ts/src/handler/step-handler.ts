import { ErrorType } from '../types/error-type.js';
import type { StepContext } from '../types/step-context.js';
import { StepHandlerResult } from '../types/step-handler-result.js';

/** A class that handlers are constructed from, one instance a call. */
export interface StepHandlerClass {
  handlerName: string;
  handlerVersion?: string;
  new (): StepHandler;
}

/** What a resolver returns: something that can run a step. */
export interface ExecutableHandler {
  readonly name: string;
  readonly version: string;
  readonly capabilities: string[];
  call(context: StepContext): Promise<StepHandlerResult>;
  configSchema(): Record<string, unknown> | null;
}

/** Base of every step handler. */
export abstract class StepHandler implements ExecutableHandler {
  /** The key templates use as `callable`. May contain dots. */
  static handlerName: string;
  static handlerVersion = '1.0.0';

  abstract call(context: StepContext): Promise<StepHandlerResult>;

  get name(): string {
    const type = this.constructor as StepHandlerClass & { name: string };
    return type.handlerName || type.name;
  }

  get version(): string {
    return (this.constructor as StepHandlerClass).handlerVersion ?? '1.0.0';
  }

  get capabilities(): string[] {
    return ['process'];
  }

  /** JSON Schema of `handler.initialization`; `null` when there is none. */
  configSchema(): Record<string, unknown> | null {
    return null;
  }

  protected success(result: Record<string, unknown>, metadata?: Record<string, unknown>): StepHandlerResult {
    return StepHandlerResult.success(result, metadata);
  }

  protected failure(
    message: string,
    errorType: string = ErrorType.HANDLER_ERROR,
    retryable = true,
    metadata?: Record<string, unknown>,
    errorCode?: string,
  ): StepHandlerResult {
    return StepHandlerResult.failure(message, errorType, retryable, metadata, errorCode);
  }

  toString(): string {
    return `${this.constructor.name}(name=${this.name}, version=${this.version})`;
  }
}
