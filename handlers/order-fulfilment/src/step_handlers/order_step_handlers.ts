import { ErrorType, type StepContext, StepHandler, type StepHandlerResult } from '@tasker-systems/tasker';
import type { Item, Order, ValidOrder } from '../types.js';

export class ValidateOrderHandler extends StepHandler {
  static handlerName = 'OrderFulfilment.StepHandlers.ValidateOrderHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const order = context.getInput<Order>('order');
    const problems = problemsOf(order);
    if (order === undefined || problems.length > 0) {
      const message = `The order is not valid: ${problems.join('; ')}`;
      return this.failure(message, ErrorType.VALIDATION_ERROR, false, { problems });
    }
    const total = order.items.reduce((sum, { quantity, price_cents }) => sum + quantity * price_cents, 0);
    return this.success({ ...order, total_cents: total });
  }
}

function problemsOf(order: Order | undefined): string[] {
  if (!order?.order_id) {
    return ['order_id is missing'];
  }
  const problems: string[] = [];
  if (!order.customer?.email?.includes('@')) {
    problems.push('customer.email is no address');
  }
  if (order.payment?.method === 'card' && !order.payment.card) {
    problems.push('payment.card is missing');
  }
  if (!Array.isArray(order.items) || order.items.length === 0) {
    problems.push('there are no items');
  }
  for (const { sku, quantity, price_cents } of order.items ?? []) {
    if (!Number.isInteger(quantity) || quantity < 1 || !Number.isInteger(price_cents) || price_cents < 0) {
      problems.push(`${sku} has no sound quantity and price`);
    }
  }
  return problems;
}

export class ReserveInventoryHandler extends StepHandler {
  static handlerName = 'OrderFulfilment.StepHandlers.ReserveInventoryHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const order = context.getDependencyResult<ValidOrder>('validate_order');
    if (order === null) {
      return this.failure('Missing result of validate_order', 'dependency_error', false);
    }
    const stock = context.getConfig<Record<string, number>>('stock') ?? {};
    const missing = order.items.filter(({ sku, quantity }) => quantity > (stock[sku] ?? 0));
    if (missing.length > 0) {
      const skus = missing.map(({ sku }) => sku);
      return this.failure(`Out of stock: ${skus.join(', ')}`, 'out_of_stock', false, { skus });
    }
    return this.success({
      // The same in every attempt: a second one reserves nothing more.
      reservation_id: `RES-${context.stepUuid}`,
      reserved: order.items.map(({ sku, quantity }: Item) => ({ sku, quantity })),
    });
  }
}
