import { StepContext, StepHandlerResult } from '@tasker-systems/tasker';
import { describe, expect, it, vi } from 'vitest';
import { ClosedAccountHandler, FlakyCallHandler, InvalidRequestHandler, RateLimitedCallHandler } from '../src/index.js';

const context = (attempts: number, initialization: Record<string, unknown>) =>
  StepContext.fromFfiEvent(
    {
      task_sequence_step: {
        workflow_step: { attempts, max_attempts: 3 },
        step_definition: { handler: { initialization } },
      },
    },
    'test',
  );

describe('a flaky call', () => {
  const call = (attempts: number) => new FlakyCallHandler().call(context(attempts, { failures: 2 }));

  it.each([
    [0, false],
    [1, false],
  ])('fails with %i attempts spent, in a way that may be tried again', async (attempts, last) => {
    await expect(call(attempts)).rejects.toMatchObject({ retryable: true, metadata: { attempt: attempts + 1, last } });
  });

  it('succeeds at its third attempt', async () => {
    expect((await call(2)).result).toEqual({ attempts: 3 });
  });

  it('knows its last attempt', async () => {
    const last = new FlakyCallHandler().call(context(2, { failures: 100 }));
    await expect(last).rejects.toMatchObject({ metadata: { last: true } });
  });
});

describe('a rate-limited call', () => {
  const call = (attempts: number, hint: string) =>
    new RateLimitedCallHandler().call(context(attempts, { hint, seconds: 3 }));

  it.each([
    ['header', { headers: { 'Retry-After': '3' } }],
    ['header_date', { headers: { 'Retry-After': 'Thu, 01 Jan 2026 00:00:03 GMT' } }],
    ['backoff_hint', { backoffHint: { backoffType: 'RateLimit', delaySeconds: 3 } }],
  ])('says when to come back, as %s', async (hint, orchestrationMetadata) => {
    vi.spyOn(Date, 'now').mockReturnValue(Date.UTC(2026, 0, 1));
    const result = await call(0, hint);
    expect(result).toBeInstanceOf(StepHandlerResult);
    expect(result).toMatchObject({ success: false, retryable: true, errorType: 'rate_limited', orchestrationMetadata });
  });

  it('says when to come back, as metadata of what it throws', async () => {
    await expect(call(0, 'metadata')).rejects.toMatchObject({ metadata: { retry_after_seconds: 3 } });
  });

  it('succeeds at its second attempt', async () => {
    expect((await call(1, 'header')).result).toEqual({ attempts: 2, hint: 'header' });
  });
});

it('a closed account is an error for good', async () => {
  await expect(new ClosedAccountHandler().call()).rejects.toMatchObject({ retryable: false });
});

it('an invalid request is a validation error for good', async () => {
  expect(await new InvalidRequestHandler().call()).toMatchObject({
    errorType: 'validation_error',
    errorCode: 'E_TO',
    retryable: false,
  });
});
