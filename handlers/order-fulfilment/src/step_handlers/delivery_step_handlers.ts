import { type StepContext, StepHandler, type StepHandlerResult } from '@tasker-systems/tasker';
import type { Payment, ValidOrder } from '../types.js';

interface Shipment {
  carrier: string;
  tracking: string;
}

export class ShipOrderHandler extends StepHandler {
  static handlerName = 'OrderFulfilment.StepHandlers.ShipOrderHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const order = context.getDependencyResult<ValidOrder>('validate_order');
    if (order === null || context.getDependencyResult<Payment>('settle_payment') === null) {
      return this.failure('Nothing is shipped without an order and its payment', 'dependency_error', false);
    }
    const carriers = context.getConfig<Record<string, string>>('carriers') ?? {};
    const carrier = carriers[order.ship_to.country] ?? context.getConfig<string>('default_carrier');
    return this.success({
      carrier,
      tracking: `${carrier}-${order.order_id}`,
      reservation_id: context.getDependencyField<string>('reserve_inventory', 'reservation_id'),
    });
  }
}

export class NotifyCustomerHandler extends StepHandler {
  static handlerName = 'OrderFulfilment.StepHandlers.NotifyCustomerHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const order = context.getDependencyResult<ValidOrder>('validate_order');
    if (order === null) {
      return this.failure('Missing result of validate_order', 'dependency_error', false);
    }
    const shipment = context.getDependencyResult<Shipment>('ship_order');
    return this.success({
      to: order.customer.email,
      status: shipment === null ? 'held' : 'shipped',
      message:
        shipment === null
          ? `Your order ${order.order_id} needs a second look`
          : `Your order ${order.order_id} is on its way: ${shipment.tracking}`,
    });
  }
}
