/** Step results made of what a service answered, or why it did not. */

import { ErrorType } from '../types/error-type.js';
import { StepHandlerResult } from '../types/step-handler-result.js';
import { messageOf } from '../types/thrown.js';
import type { ApiResponse } from './response.js';

type Data = Record<string, unknown>;

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  422: 'Unprocessable Entity',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

/** Where services put what went wrong. */
const MESSAGE_KEYS = ['error', 'message', 'detail', 'error_message', 'msg'];

export function apiSuccess(response: ApiResponse, result?: Data, includeResponse = true): StepHandlerResult {
  const { statusCode, headers, body } = response;
  return StepHandlerResult.success(
    result || (isObject(body) ? body : { data: body }),
    includeResponse ? { status_code: statusCode, headers } : {},
  );
}

export function apiFailure(response: ApiResponse, message?: string): StepHandlerResult {
  const { statusCode, headers, body, retryAfter } = response;
  const metadata: Data = { status_code: statusCode, headers };
  if (retryAfter !== null) {
    metadata.retry_after_seconds = retryAfter;
  }
  if (body) {
    metadata.response_body = body;
  }
  return new StepHandlerResult({
    success: false,
    errorMessage: message || `HTTP ${statusCode}: ${explanation(body) || REASONS[statusCode] || 'HTTP Error'}`,
    errorType: errorType(response),
    retryable: response.isRetryable,
    metadata,
    // As the service wrote it: of a date, the orchestration knows how far off it is when it plans the next attempt.
    orchestrationMetadata:
      retryAfter === null ? null : { headers: { 'Retry-After': headers['retry-after'] as string } },
  });
}

export function connectionError(error: Error, context?: string): StepHandlerResult {
  return unanswered('Connection error', 'connection_error', error, context);
}

export function timeoutError(error: Error, context?: string): StepHandlerResult {
  return unanswered('Request timeout', ErrorType.TIMEOUT, error, context);
}

function unanswered(what: string, type: string, error: Error, context: string | undefined): StepHandlerResult {
  const message = `${what}${context ? ` while ${context}` : ''}: ${messageOf(error)}`;
  return StepHandlerResult.failure(message, type, true, { exception_type: error.constructor.name });
}

function errorType({ statusCode, isClientError, isServerError }: ApiResponse): string {
  if (statusCode === 429) {
    return 'rate_limited';
  }
  const reason = REASONS[statusCode];
  if (reason !== undefined) {
    return reason.toLowerCase().replaceAll(' ', '_');
  }
  if (isClientError) {
    return 'client_error';
  }
  return isServerError ? 'server_error' : 'http_error';
}

function explanation(body: unknown): string | undefined {
  if (!isObject(body)) {
    return undefined;
  }
  for (const key of MESSAGE_KEYS) {
    const detail = body[key];
    if (typeof detail === 'string') {
      return detail;
    }
    if (isObject(detail) && 'message' in detail) {
      return String(detail.message);
    }
  }
  return undefined;
}

function isObject(value: unknown): value is Data {
  return typeof value === 'object' && value !== null;
}
