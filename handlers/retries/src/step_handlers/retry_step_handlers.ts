/** Calls of a service that is not always there. */

import {
  ErrorType,
  type OrchestrationMetadata,
  PermanentError,
  RetryableError,
  type StepContext,
  StepHandler,
  StepHandlerResult,
} from '@tasker-systems/tasker';

/** Fails as many times as its configuration says. */
export class FlakyCallHandler extends StepHandler {
  static handlerName = 'Retries.StepHandlers.FlakyCallHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const attempt = context.retryCount + 1;
    if (context.retryCount < (context.getConfig<number>('failures') ?? 0)) {
      throw new RetryableError(`Service unavailable, attempt ${attempt}`, { attempt, last: context.isLastRetry() });
    }
    return this.success({ attempts: attempt });
  }
}

/** Is told to come back later, once: the hint says when. */
export class RateLimitedCallHandler extends StepHandler {
  static handlerName = 'Retries.StepHandlers.RateLimitedCallHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const hint = context.getConfig<string>('hint') ?? 'header';
    const seconds = context.getConfig<number>('seconds') ?? 1;
    if (context.isRetry()) {
      return this.success({ attempts: context.retryCount + 1, hint });
    }
    if (hint === 'metadata') {
      throw new RetryableError('Too many requests', { retry_after_seconds: seconds });
    }
    return new StepHandlerResult({
      success: false,
      errorMessage: 'Too many requests',
      errorType: 'rate_limited',
      errorCode: '429',
      orchestrationMetadata: advice(hint, seconds),
    });
  }
}

function advice(hint: string, seconds: number): OrchestrationMetadata {
  switch (hint) {
    case 'header_date':
      return { headers: { 'Retry-After': new Date(Date.now() + seconds * 1000).toUTCString() } };
    case 'backoff_hint':
      return { backoffHint: { backoffType: 'RateLimit', delaySeconds: seconds } };
    default:
      return { headers: { 'Retry-After': String(seconds) } };
  }
}

export class ClosedAccountHandler extends StepHandler {
  static handlerName = 'Retries.StepHandlers.ClosedAccountHandler';

  async call(): Promise<StepHandlerResult> {
    throw new PermanentError('The account is closed', { account: 'A-1' });
  }
}

export class InvalidRequestHandler extends StepHandler {
  static handlerName = 'Retries.StepHandlers.InvalidRequestHandler';

  async call(): Promise<StepHandlerResult> {
    return this.failure('The request has no recipient', ErrorType.VALIDATION_ERROR, false, { field: 'to' }, 'E_TO');
  }
}
