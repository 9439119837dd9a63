import { ErrorType } from './error-type.js';

/** Advice to the orchestration. Keys may be camelCase or snake_case. */
export interface OrchestrationMetadata {
  headers?: Record<string, string>;
  errorContext?: string | null;
  error_context?: string | null;
  backoffHint?: BackoffHint | null;
  backoff_hint?: BackoffHint | null;
  custom?: Record<string, unknown>;
}

/** When to try again. */
export interface BackoffHint {
  backoffType?: string;
  backoff_type?: string;
  delaySeconds?: number;
  delay_seconds?: number;
  context?: string | null;
}

/** What a result is made of; only `success` need be said. */
export interface StepHandlerResultParams {
  success: boolean;
  result?: Record<string, unknown> | null;
  errorMessage?: string | null;
  errorType?: string | null;
  errorCode?: string | null;
  /** Default true, for successes too. */
  retryable?: boolean;
  metadata?: Record<string, unknown>;
  orchestrationMetadata?: OrchestrationMetadata | null;
}

/** What a handler call amounts to. */
export class StepHandlerResult {
  // Declared only, as in StepContext.
  declare readonly success: boolean;
  declare readonly result: Record<string, unknown> | null;
  declare readonly errorMessage: string | null;
  declare readonly errorType: string | null;
  declare readonly errorCode: string | null;
  declare readonly retryable: boolean;
  declare readonly metadata: Record<string, unknown>;
  declare readonly orchestrationMetadata: OrchestrationMetadata | null;

  constructor(params: StepHandlerResultParams) {
    this.success = params.success;
    this.result = params.result ?? null;
    this.errorMessage = params.errorMessage ?? null;
    this.errorType = params.errorType ?? null;
    this.errorCode = params.errorCode ?? null;
    this.retryable = params.retryable ?? true;
    this.metadata = params.metadata ?? {};
    this.orchestrationMetadata = params.orchestrationMetadata ?? null;
  }

  static success(result: Record<string, unknown>, metadata: Record<string, unknown> = {}): StepHandlerResult {
    return new StepHandlerResult({ success: true, result, metadata });
  }

  static failure(
    message: string,
    errorType: string = ErrorType.HANDLER_ERROR,
    retryable = true,
    metadata: Record<string, unknown> = {},
    errorCode: string | null = null,
  ): StepHandlerResult {
    return new StepHandlerResult({
      success: false,
      errorMessage: message,
      errorType,
      errorCode,
      retryable,
      metadata,
    });
  }

  isSuccess(): boolean {
    return this.success;
  }

  isFailure(): boolean {
    return !this.success;
  }

  toJSON(): Record<string, unknown> {
    return {
      success: this.success,
      result: this.result,
      error_message: this.errorMessage,
      error_type: this.errorType,
      error_code: this.errorCode,
      retryable: this.retryable,
      metadata: this.metadata,
      orchestration_metadata: this.orchestrationMetadata,
    };
  }
}
