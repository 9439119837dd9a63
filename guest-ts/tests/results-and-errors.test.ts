import { describe, expect, it } from 'vitest';
import {
  ErrorType,
  isStandardErrorType,
  isTypicallyRetryable,
  PermanentError,
  RetryableError,
  StepHandlerResult,
} from '../src/index.js';

describe('a result', () => {
  it('has nulls, no metadata and is retryable unless told otherwise, successes too', () => {
    expect({ ...new StepHandlerResult({ success: true }) }).toEqual({
      success: true,
      result: null,
      errorMessage: null,
      errorType: null,
      errorCode: null,
      retryable: true,
      metadata: {},
      orchestrationMetadata: null,
    });
  });

  it('keeps retryable false', () => {
    expect(new StepHandlerResult({ success: false, retryable: false }).retryable).toBe(false);
  });

  it('of success knows what it is', () => {
    const result = StepHandlerResult.success({ a: 1 }, { took: 3 });
    expect(result.isSuccess()).toBe(true);
    expect(result.isFailure()).toBe(false);
    expect(result).toMatchObject({ result: { a: 1 }, metadata: { took: 3 }, errorMessage: null });
  });

  it('of failure is a retryable handler_error unless told otherwise', () => {
    const result = StepHandlerResult.failure('no');
    expect(result.isFailure()).toBe(true);
    expect(result.isSuccess()).toBe(false);
    expect(result).toMatchObject({ errorMessage: 'no', errorType: 'handler_error', retryable: true, errorCode: null });
  });

  it('takes any text as the error type', () => {
    expect(StepHandlerResult.failure('no', 'dependency_error', false, { a: 1 }, 'E1')).toMatchObject({
      errorType: 'dependency_error',
      retryable: false,
      metadata: { a: 1 },
      errorCode: 'E1',
    });
  });

  it('has snake_case keys as JSON', () => {
    const result = new StepHandlerResult({
      success: false,
      errorMessage: 'no',
      errorType: 'timeout',
      errorCode: 'E1',
      metadata: { a: 1 },
      orchestrationMetadata: { headers: { h: 'v' } },
    });
    expect(JSON.parse(JSON.stringify(result))).toEqual({
      success: false,
      result: null,
      error_message: 'no',
      error_type: 'timeout',
      error_code: 'E1',
      retryable: true,
      metadata: { a: 1 },
      orchestration_metadata: { headers: { h: 'v' } },
    });
  });
});

describe('error types', () => {
  it('are the five every worker knows', () => {
    expect(ErrorType).toEqual({
      PERMANENT_ERROR: 'permanent_error',
      RETRYABLE_ERROR: 'retryable_error',
      VALIDATION_ERROR: 'validation_error',
      TIMEOUT: 'timeout',
      HANDLER_ERROR: 'handler_error',
    });
  });

  it('are told from all other names', () => {
    expect(Object.values(ErrorType).every(isStandardErrorType)).toBe(true);
    for (const other of ['dependency_error', 'PermanentError', '', 'constructor']) {
      expect(isStandardErrorType(other)).toBe(false);
    }
  });

  it('usually pass on retry only for retryable_error and timeout', () => {
    expect(Object.values(ErrorType).filter(isTypicallyRetryable)).toEqual(['retryable_error', 'timeout']);
    expect(isTypicallyRetryable('connection_error')).toBe(false);
  });
});

describe.each([
  [PermanentError, 'PermanentError', false],
  [RetryableError, 'RetryableError', true],
] as const)('%o', (Type, name, retryable) => {
  it('is an Error that says whether to try again', () => {
    const error = new Type('no', { account: 1 });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name, message: 'no', retryable, metadata: { account: 1 } });
  });

  it('has no metadata unless given some', () => {
    expect(new Type('no').metadata).toEqual({});
  });
});
