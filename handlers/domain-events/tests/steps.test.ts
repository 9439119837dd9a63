/** The handlers of the example, which know nothing of events. */

import { type FfiStepEvent, StepContext, type StepHandler } from '@tasker-systems/tasker';
import { describe, expect, it } from 'vitest';
import { ProcessPaymentHandler, ShipOrderHandler, ValidateOrderHandler } from '../src/index.js';

interface Given {
  input?: Record<string, unknown>;
  results?: Record<string, unknown>;
  attempts?: number;
}

function context(handler: StepHandler, { input = {}, results = {}, attempts = 0 }: Given): StepContext {
  const event: FfiStepEvent = {
    eventId: 'event',
    taskUuid: 'task',
    stepUuid: 'step',
    correlationId: 'correlation',
    task: {
      taskUuid: 'task',
      name: 'order_with_events',
      namespace: 'order_events',
      version: '1.0.0',
      context: input,
      correlationId: 'correlation',
    },
    workflowStep: {
      workflowStepUuid: 'step',
      name: 'step',
      retryable: true,
      attempts,
      maxAttempts: 3,
      inputs: {},
    },
    dependencyResults: Object.fromEntries(
      Object.entries(results).map(([step, result]) => [step, { success: true, result }]),
    ),
  };
  return StepContext.fromFfiEvent(event, handler.name);
}

describe('validate_order', () => {
  const handler = new ValidateOrderHandler();
  const validate = (input: Record<string, unknown>) => handler.call(context(handler, { input }));

  it('passes the order on', async () => {
    expect(await validate({ order_id: 'o-1', amount: 120 })).toMatchObject({
      success: true,
      result: { order_id: 'o-1', amount: 120 },
    });
  });

  it.each([[{}], [{ order_id: 'o-1' }], [{ order_id: 'o-1', amount: 0 }], [{ order_id: '', amount: 1 }]])(
    'refuses %j for good',
    async (input) => {
      expect(await validate(input)).toMatchObject({
        success: false,
        errorType: 'validation_error',
        retryable: false,
      });
    },
  );
});

describe('process_payment', () => {
  const handler = new ProcessPaymentHandler();
  const pay = (attempts: number, input: Record<string, unknown> = {}) =>
    handler.call(context(handler, { input, attempts, results: { validate_order: { order_id: 'o-1', amount: 120 } } }));

  it('fails the first attempt, in a way that is worth another, which succeeds', async () => {
    await expect(pay(0)).rejects.toMatchObject({ retryable: true, metadata: { order_id: 'o-1' } });
    expect(await pay(1)).toMatchObject({
      success: true,
      result: { order_id: 'o-1', amount: 120, transaction_id: 'txn-o-1', attempt: 2 },
    });
  });

  it('fails as often as the context asks for', async () => {
    expect(await pay(0, { payment_failures: 0 })).toMatchObject({ success: true });
    await expect(pay(1, { payment_failures: 2 })).rejects.toMatchObject({ retryable: true });
  });

  it('gives a declined card up', async () => {
    await expect(pay(0, { card: 'declined' })).rejects.toMatchObject({ retryable: false });
  });

  it('cannot do without the order', async () => {
    expect(await handler.call(context(handler, {}))).toMatchObject({ success: false, retryable: false });
  });
});

describe('ship_order', () => {
  const handler = new ShipOrderHandler();

  it('says what the publishers of its events need', async () => {
    const results = { process_payment: { order_id: 'o-1', amount: 120, transaction_id: 'txn-o-1' } };
    const input = { invoice_to: 'a@example.com' };
    expect(await handler.call(context(handler, { input, results }))).toMatchObject({
      success: true,
      result: { order_id: 'o-1', amount: 120, carrier: 'snail', invoice_to: 'a@example.com', silent: false },
    });
  });

  it('cannot do without the payment', async () => {
    expect(await handler.call(context(handler, {}))).toMatchObject({ success: false, retryable: false });
  });
});
