import { describe, expect, it } from 'vitest';
import { ApiResponse } from '../../src/index.js';

const of = (status: number, headers: Record<string, string> = {}) =>
  new ApiResponse(new Response(null, { status, headers }));

describe('an ApiResponse', () => {
  it('has status, headers by their names in lower case, the body and the response it came from', () => {
    const response = new Response('{"a":1}', { status: 201, headers: { 'X-Request-Id': 'r' } });
    const wrapped = new ApiResponse(response, { a: 1 });
    expect(wrapped.statusCode).toBe(201);
    expect(wrapped.headers['x-request-id']).toBe('r');
    expect(wrapped.body).toEqual({ a: 1 });
    expect(wrapped.rawResponse).toBe(response);
    expect(wrapped.toDict()).toEqual({ status_code: 201, headers: wrapped.headers, body: { a: 1 } });
  });

  it.each([
    [200, [true, false, false, false]],
    [299, [true, false, false, false]],
    [300, [false, false, false, false]],
    [400, [false, true, false, false]],
    [408, [false, true, false, true]],
    [429, [false, true, false, true]],
    [499, [false, true, false, false]],
    [500, [false, false, true, true]],
    [501, [false, false, true, false]],
    [502, [false, false, true, true]],
    [503, [false, false, true, true]],
    [504, [false, false, true, true]],
    [505, [false, false, true, false]],
    [599, [false, false, true, false]],
  ])('of status %i knows whether it is ok, whose error it is, and whether to try again', (status, known) => {
    const { ok, isClientError, isServerError, isRetryable } = of(status);
    expect([ok, isClientError, isServerError, isRetryable]).toEqual(known);
  });

  it.each([
    ['30', 30],
    ['0', 0],
    ['Wed, 21 Oct 2025 07:28:00 GMT', 60],
    ['1.5', 60],
    ['soon', 60],
  ])('told to wait %s waits %i seconds', (header, seconds) => {
    expect(of(429, { 'Retry-After': header }).retryAfter).toBe(seconds);
  });

  it('told nothing does not know how long to wait', () => {
    expect(of(429).retryAfter).toBeNull();
  });
});
