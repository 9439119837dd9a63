import {
  PermanentError,
  RetryableError,
  type StepContext,
  StepHandler,
  type StepHandlerResult,
} from '@tasker-systems/tasker';
import type { Payment, ValidOrder } from '../types.js';

/** Card numbers the gateway knows for trying it out. */
const DECLINED_CARD = '4000000000000002';
const FLAKY_CARD = '4000000000000119';

function orderOf(context: StepContext): ValidOrder {
  const order = context.getDependencyResult<ValidOrder>('validate_order');
  if (order === null) {
    throw new PermanentError('Missing result of validate_order');
  }
  return order;
}

export class ChargeCardHandler extends StepHandler {
  static handlerName = 'OrderFulfilment.StepHandlers.ChargeCardHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const { payment, total_cents } = orderOf(context);
    if (payment.card === DECLINED_CARD) {
      return this.failure(
        'The card was declined',
        'card_declined',
        false,
        { amount_cents: total_cents },
        'card_declined',
      );
    }
    if (payment.card === FLAKY_CARD && !context.isRetry()) {
      throw new RetryableError('The payment gateway did not answer');
    }
    return this.success({
      method: 'card',
      // The key by which the gateway knows a second attempt for the same charge.
      reference: `CH-${context.stepUuid}`,
      amount_cents: total_cents,
      paid: true,
      attempts: context.retryCount + 1,
    });
  }
}

export class SendInvoiceHandler extends StepHandler {
  static handlerName = 'OrderFulfilment.StepHandlers.SendInvoiceHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const { order_id, total_cents } = orderOf(context);
    return this.success({
      method: 'invoice',
      reference: `INV-${order_id}`,
      amount_cents: total_cents,
      paid: false,
      due_days: context.getConfig<number>('due_days') ?? 0,
    });
  }
}

export class SettlePaymentHandler extends StepHandler {
  static handlerName = 'OrderFulfilment.StepHandlers.SettlePaymentHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const payment =
      context.getDependencyResult<Payment>('charge_card') ?? context.getDependencyResult<Payment>('send_invoice');
    if (payment === null) {
      return this.failure('There is no payment', 'dependency_error', false);
    }
    const { method, reference, amount_cents, paid } = payment;
    return this.success({ method, reference, amount_cents, paid });
  }
}

export class HoldOrderHandler extends StepHandler {
  static handlerName = 'OrderFulfilment.StepHandlers.HoldOrderHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    return this.success({
      held: true,
      signals: context.getDependencyField<string[]>('assess_fraud', 'signals'),
      released: context.getDependencyField<string>('reserve_inventory', 'reservation_id'),
    });
  }
}
