import { ErrorType } from '../types/error-type.js';
import { PermanentError, RetryableError } from '../types/errors.js';
import { StepHandlerResult } from '../types/step-handler-result.js';
import { messageOf } from '../types/thrown.js';

/** What a handler's function threw, as a result. */
export function failureOf(thrown: unknown): StepHandlerResult {
  if (thrown instanceof PermanentError) {
    return StepHandlerResult.failure(thrown.message, ErrorType.PERMANENT_ERROR, false, thrown.metadata);
  }
  if (thrown instanceof RetryableError) {
    return StepHandlerResult.failure(thrown.message, ErrorType.RETRYABLE_ERROR, true, thrown.metadata);
  }
  const errorType = thrown instanceof Error ? thrown.constructor.name : typeof thrown;
  return StepHandlerResult.failure(messageOf(thrown), ErrorType.HANDLER_ERROR, true, { errorType });
}
