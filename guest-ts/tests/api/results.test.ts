import { describe, expect, it } from 'vitest';
import { outcomeOf } from '../../src/component/outcome.js';
import {
  type APICapable,
  APIMixin,
  ApiResponse,
  applyAPI,
  StepHandler,
  type StepHandlerResult,
} from '../../src/index.js';
import { Shop, service } from './service.js';

class Plain extends StepHandler {
  async call(): Promise<StepHandlerResult> {
    return this.success({});
  }
}

function answered(status: number, body?: unknown, headers: Record<string, string> = {}): ApiResponse {
  return new ApiResponse(new Response(null, { status, headers }), body);
}

describe.each<[string, APICapable]>([
  ['an ApiHandler', new Shop().open()],
  ['a handler applyAPI was called with', applyAPI(new Plain())],
  ['a class that extends APIMixin', new APIMixin()],
])('%s', (_what, handler) => {
  it.each([
    [{ id: 7 }, { id: 7 }],
    ['text', { data: 'text' }],
    ['', { data: '' }],
    [null, { data: null }],
  ])('succeeds with the body %j', (body, result) => {
    const response = answered(200, body, { 'X-Request-Id': 'r' });
    expect(handler.apiSuccess(response)).toMatchObject({
      success: true,
      result,
      metadata: { status_code: 200, headers: { 'x-request-id': 'r' } },
    });
  });

  it('succeeds with a result of its own, and without the response in the metadata', () => {
    const result = handler.apiSuccess(answered(200, { id: 7 }), { order: 7 }, false);
    expect(result).toMatchObject({ result: { order: 7 } });
    expect(result.metadata).toEqual({});
  });

  it.each([
    [400, 'bad_request', 'Bad Request', false],
    [401, 'unauthorized', 'Unauthorized', false],
    [403, 'forbidden', 'Forbidden', false],
    [404, 'not_found', 'Not Found', false],
    [405, 'method_not_allowed', 'Method Not Allowed', false],
    [408, 'request_timeout', 'Request Timeout', true],
    [409, 'conflict', 'Conflict', false],
    [410, 'gone', 'Gone', false],
    [422, 'unprocessable_entity', 'Unprocessable Entity', false],
    [429, 'rate_limited', 'Too Many Requests', true],
    [500, 'internal_server_error', 'Internal Server Error', true],
    [502, 'bad_gateway', 'Bad Gateway', true],
    [503, 'service_unavailable', 'Service Unavailable', true],
    [504, 'gateway_timeout', 'Gateway Timeout', true],
    [418, 'client_error', 'HTTP Error', false],
    [501, 'server_error', 'HTTP Error', false],
    [302, 'http_error', 'HTTP Error', false],
  ])('fails after %i with %s', (status, errorType, reason, retryable) => {
    expect(handler.apiFailure(answered(status))).toMatchObject({
      success: false,
      errorType,
      errorMessage: `HTTP ${status}: ${reason}`,
      retryable,
      metadata: { status_code: status, headers: {} },
      orchestrationMetadata: null,
    });
  });

  it.each([
    [{ error: 'no stock' }, 'no stock'],
    [{ error: { message: 'no stock', code: 7 } }, 'no stock'],
    [{ message: 'no stock' }, 'no stock'],
    [{ detail: 'no stock' }, 'no stock'],
    [{ error_message: 'no stock' }, 'no stock'],
    [{ msg: 'no stock' }, 'no stock'],
    [{ error: 7, message: 'no stock' }, 'no stock'],
    [{ message: 'second', error: 'first' }, 'first'],
    [{ error: '' }, 'Bad Request'],
    [{ code: 7 }, 'Bad Request'],
    ['no stock', 'Bad Request'],
  ])('fails with what the body %j says', (body, text) => {
    expect(handler.apiFailure(answered(400, body))).toMatchObject({
      errorMessage: `HTTP 400: ${text}`,
      metadata: { response_body: body },
    });
  });

  it('fails with a message of its own', () => {
    const failure = handler.apiFailure(answered(400, ''), 'the card was declined');
    expect(failure.errorMessage).toBe('the card was declined');
    expect(failure.metadata).not.toHaveProperty('response_body');
  });

  it.each([
    ['30', 30],
    ['Wed, 21 Oct 2099 07:28:00 GMT', 60],
  ])('passes on that it has to wait %s', (header, seconds) => {
    expect(handler.apiFailure(answered(429, undefined, { 'Retry-After': header }))).toMatchObject({
      metadata: { retry_after_seconds: seconds },
      orchestrationMetadata: { headers: { 'Retry-After': header } },
    });
  });

  it('fails when there was no answer, or not in time', () => {
    const error = new TypeError('refused');
    expect(handler.connectionError(error)).toMatchObject({
      success: false,
      errorType: 'connection_error',
      errorMessage: 'Connection error: refused',
      retryable: true,
      metadata: { exception_type: 'TypeError' },
    });
    expect(handler.connectionError(error, 'charging').errorMessage).toBe('Connection error while charging: refused');
    expect(handler.timeoutError(new DOMException('aborted', 'AbortError'), 'charging')).toMatchObject({
      errorType: 'timeout',
      errorMessage: 'Request timeout while charging: aborted',
      retryable: true,
      metadata: { exception_type: 'DOMException' },
    });
    expect(handler.timeoutError(error).errorMessage).toBe('Request timeout: refused');
  });
});

it('a handler returns what its service answered', async () => {
  service({ body: '{"orders":[7]}' });
  expect(await new Shop().call()).toMatchObject({ success: true, result: { orders: [7] } });
});

it('what the service said about waiting reaches the host, in the form it reads', async () => {
  const date = 'Wed, 21 Oct 2099 07:28:00 GMT';
  service({ status: 503, headers: { 'Retry-After': date }, body: 'later' });
  const outcome = outcomeOf(await new Shop().call(), 'Shop.Charge');
  expect(outcome).toMatchObject({
    tag: 'failure',
    val: { retryable: true, errorType: { val: 'service_unavailable' } },
  });
  expect(JSON.parse((outcome.val as { metadata: string }).metadata)).toMatchObject({
    status_code: 503,
    retry_after_seconds: 60,
    orchestration_metadata: { headers: { 'Retry-After': date } },
  });
});
