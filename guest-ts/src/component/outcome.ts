/** From what a handler returned or threw to the outcome the host understands. */

import { progress } from '../checkpoint/progress.js';
import type { OrchestrationMetadata, StepHandlerResult } from '../types/step-handler-result.js';
import { messageOf, readThrown } from '../types/thrown.js';
import type { WitErrorType, WitFailure, WitStepOutcome } from './wit.js';

const STANDARD_TYPES: Readonly<Record<string, WitErrorType>> = {
  permanent_error: { tag: 'permanent-error' },
  retryable_error: { tag: 'retryable-error' },
  validation_error: { tag: 'validation-error' },
  timeout: { tag: 'timeout' },
  handler_error: { tag: 'handler-error' },
};

/** Longest explanation of a result that cannot be stored, in characters. */
const MAX_SERIALIZATION_MESSAGE = 500;

/** The outcome of a call that returned. */
export function outcomeOf(returned: unknown, handlerName: string): WitStepOutcome {
  if (!isResult(returned)) {
    return failure({
      message: `Handler ${handlerName} returned ${kindOf(returned)}, not a StepHandlerResult: return this.success({...}) or this.failure('...')`,
      errorType: { tag: 'other', val: 'invalid_result' },
      retryable: false,
    });
  }
  try {
    if (returned.success && returned.metadata?.checkpoint_yield === true) {
      return checkpoint(returned.result, handlerName);
    }
    const metadata = metadataJson(returned.metadata, returned.orchestrationMetadata);
    if (returned.success) {
      return { tag: 'success', val: { result: json(returned.result, 'result'), metadata } };
    }
    return failure({
      message: String(returned.errorMessage ?? 'The handler failed without a message'),
      errorType: errorType(returned.errorType),
      errorCode: returned.errorCode == null ? undefined : String(returned.errorCode),
      retryable: returned.retryable !== false,
      metadata,
    });
  } catch (error) {
    return notSerializable(error, handlerName);
  }
}

/** The outcome of a call that threw. */
export function outcomeOfThrown(value: unknown): WitStepOutcome {
  const thrown = readThrown(value);
  let metadata = '{}';
  try {
    metadata = metadataJson(thrown.metadata, null);
  } catch {
    // What the error carries beside its message is not worth losing the message for.
  }
  return failure({
    message: thrown.message,
    errorType: errorType(thrown.typeName),
    retryable: thrown.retryable,
    metadata,
    backtrace: thrown.frames,
  });
}

function failure(
  partial: Pick<WitFailure, 'message' | 'errorType' | 'retryable'> & Partial<WitFailure>,
): WitStepOutcome {
  return { tag: 'failure', val: { errorCode: undefined, metadata: '{}', backtrace: [], ...partial } };
}

/** A checkpoint that cannot be stored ends the step: the next attempt would yield the same. */
function checkpoint(yielded: Record<string, unknown> | null, handlerName: string): WitStepOutcome {
  const { cursor, items_processed, accumulated_results } = yielded ?? {};
  try {
    return { tag: 'checkpoint', val: progress(cursor, items_processed, accumulated_results) };
  } catch (error) {
    return failure({
      message: `The checkpoint of handler ${handlerName} cannot be stored: ${messageOf(error)}`,
      errorType: { tag: 'other', val: 'invalid_checkpoint' },
      retryable: false,
    });
  }
}

function notSerializable(error: unknown, handlerName: string): WitStepOutcome {
  const reason = messageOf(error).slice(0, MAX_SERIALIZATION_MESSAGE);
  return failure({
    message: `The result of handler ${handlerName} cannot be stored as JSON: ${reason}`.slice(
      0,
      MAX_SERIALIZATION_MESSAGE,
    ),
    errorType: { tag: 'other', val: 'SERIALIZATION_ERROR' },
    retryable: false,
    // The second key is the name under which upstream's dashboards look for it.
    metadata: JSON.stringify({ custom: { serialization_error: reason, ffi_serialization_error: reason } }),
  });
}

/** A result of the SDK's class, or of the same shape: a package may carry a second copy of the class. */
function isResult(value: unknown): value is StepHandlerResult {
  return typeof value === 'object' && value !== null && typeof (value as StepHandlerResult).success === 'boolean';
}

function errorType(name: unknown): WitErrorType {
  if (typeof name !== 'string' || name === '') {
    return { tag: 'handler-error' };
  }
  return Object.hasOwn(STANDARD_TYPES, name) ? (STANDARD_TYPES[name] as WitErrorType) : { tag: 'other', val: name };
}

function json(value: unknown, what: string): string {
  if (value === null || value === undefined) {
    return 'null';
  }
  const text = JSON.stringify(value);
  if (typeof text !== 'string') {
    throw new TypeError(`its ${what} is ${kindOf(value)}`);
  }
  return text;
}

function metadataJson(metadata: unknown, advice: OrchestrationMetadata | null | undefined): string {
  const carried = typeof metadata === 'object' && metadata !== null ? metadata : {};
  if (advice === null || advice === undefined) {
    return Array.isArray(carried) ? '{}' : json(carried, 'metadata');
  }
  return json({ ...carried, orchestration_metadata: inSnakeCase(advice) }, 'metadata');
}

/** The host reads snake_case only; handlers write either. */
function inSnakeCase(advice: OrchestrationMetadata): Record<string, unknown> {
  const hint = advice.backoff_hint ?? advice.backoffHint;
  return {
    headers: advice.headers,
    error_context: advice.error_context ?? advice.errorContext,
    backoff_hint: hint && {
      backoff_type: hint.backoff_type ?? hint.backoffType,
      delay_seconds: hint.delay_seconds ?? hint.delaySeconds,
      context: hint.context,
    },
    custom: advice.custom,
  };
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) {
    return String(value);
  }
  return Array.isArray(value) ? 'an array' : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
}
