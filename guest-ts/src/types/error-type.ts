/** The error types every Tasker worker knows. Any other string is allowed where an error type is expected. */
export enum ErrorType {
  PERMANENT_ERROR = 'permanent_error',
  RETRYABLE_ERROR = 'retryable_error',
  VALIDATION_ERROR = 'validation_error',
  TIMEOUT = 'timeout',
  HANDLER_ERROR = 'handler_error',
}

const STANDARD: ReadonlySet<string> = new Set(Object.values(ErrorType));

/** True for the five names of `ErrorType`. */
export function isStandardErrorType(errorType: string): boolean {
  return STANDARD.has(errorType);
}

/** True for the error types that usually pass when tried again. */
export function isTypicallyRetryable(errorType: string): boolean {
  return errorType === ErrorType.RETRYABLE_ERROR || errorType === ErrorType.TIMEOUT;
}
