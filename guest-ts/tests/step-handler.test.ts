import { describe, expect, it } from 'vitest';
import { ErrorType, StepContext, StepHandler, type StepHandlerResult } from '../src/index.js';
import { flatEvent } from './support.js';

class Charge extends StepHandler {
  static override handlerName = 'Shop.Payments.Charge';
  static override handlerVersion = '2.1.0';

  async call(context: StepContext): Promise<StepHandlerResult> {
    return this.success({ order: context.getInput('order_id') }, { operation: 'charge' });
  }

  fail(...args: Parameters<StepHandler['failure']>): StepHandlerResult {
    return this.failure(...args);
  }
}

class Unnamed extends StepHandler {
  async call(): Promise<StepHandlerResult> {
    return this.success({});
  }
}

describe('a step handler', () => {
  it('is called what its class says, dots and all', () => {
    expect(new Charge().name).toBe('Shop.Payments.Charge');
  });

  it('is called like its class when that gives no handlerName', () => {
    expect(new Unnamed().name).toBe('Unnamed');
  });

  it('has the version of its class, 1.0.0 where there is none', () => {
    expect(new Charge().version).toBe('2.1.0');
    expect(new Unnamed().version).toBe('1.0.0');
  });

  it('can process, and has no configuration schema of its own', () => {
    expect(new Unnamed().capabilities).toEqual(['process']);
    expect(new Unnamed().configSchema()).toBeNull();
  });

  it('says its class, name and version as text', () => {
    expect(String(new Charge())).toBe('Charge(name=Shop.Payments.Charge, version=2.1.0)');
  });

  it('succeeds with a result and metadata', async () => {
    const result = await new Charge().call(StepContext.fromFfiEvent(flatEvent(), 'Shop.Payments.Charge'));
    expect(result.isSuccess()).toBe(true);
    expect(result.result).toEqual({ order: 7 });
    expect(result.metadata).toEqual({ operation: 'charge' });
  });

  it('succeeds without metadata', async () => {
    expect((await new Unnamed().call()).metadata).toEqual({});
  });

  it('fails as a retryable handler_error unless told otherwise', () => {
    expect(new Charge().fail('declined')).toMatchObject({
      success: false,
      errorMessage: 'declined',
      errorType: 'handler_error',
      errorCode: null,
      retryable: true,
      metadata: {},
    });
  });

  it('fails with a type, a verdict, metadata and a code, in this order', () => {
    expect(new Charge().fail('declined', ErrorType.PERMANENT_ERROR, false, { card: 'x' }, 'E_CARD')).toMatchObject({
      errorType: 'permanent_error',
      retryable: false,
      metadata: { card: 'x' },
      errorCode: 'E_CARD',
    });
  });
});
