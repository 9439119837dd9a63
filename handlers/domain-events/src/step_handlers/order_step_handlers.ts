/** The steps of an order. None of them knows of events: the template declares those. */

import {
  ErrorType,
  PermanentError,
  RetryableError,
  type StepContext,
  StepHandler,
  type StepHandlerResult,
} from '@tasker-systems/tasker';

interface Order extends Record<string, unknown> {
  order_id: string;
  amount: number;
}

interface Payment extends Order {
  transaction_id: string;
}

export class ValidateOrderHandler extends StepHandler {
  static handlerName = 'OrderEvents.StepHandlers.ValidateOrderHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const orderId = context.getInput<string>('order_id');
    const amount = context.getInput<number>('amount') ?? 0;
    if (!orderId || !(amount > 0)) {
      return this.failure('An order needs an order_id and a positive amount', ErrorType.VALIDATION_ERROR, false, {
        order_id: orderId ?? null,
      });
    }
    return this.success({ order_id: orderId, amount });
  }
}

export class ProcessPaymentHandler extends StepHandler {
  static handlerName = 'OrderEvents.StepHandlers.ProcessPaymentHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const order = context.getDependencyResult<Order>('validate_order');
    if (order === null) {
      return this.failure('Missing result of validate_order', 'dependency_error', false);
    }
    if (context.getInput('card') === 'declined') {
      throw new PermanentError('The card was declined', { order_id: order.order_id });
    }
    if (context.retryCount < context.getInputOr('payment_failures', 1)) {
      throw new RetryableError('The payment gateway is busy', { order_id: order.order_id });
    }
    return this.success({ ...order, transaction_id: `txn-${order.order_id}`, attempt: context.retryCount + 1 });
  }
}

export class ShipOrderHandler extends StepHandler {
  static handlerName = 'OrderEvents.StepHandlers.ShipOrderHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const payment = context.getDependencyResult<Payment>('process_payment');
    if (payment === null) {
      return this.failure('Missing result of process_payment', 'dependency_error', false);
    }
    return this.success({
      order_id: payment.order_id,
      amount: payment.amount,
      carrier: 'snail',
      invoice_to: context.getInputOr<string | null>('invoice_to', null),
      silent: context.getInputOr('silent', false),
    });
  }
}
