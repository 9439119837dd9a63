import {
  Decision,
  defineDecisionHandler,
  PermanentError,
  type StepContext,
  StepHandler,
  type StepHandlerResult,
} from '@tasker-systems/tasker';
import type { ValidOrder } from '../types.js';

export class AssessFraudHandler extends StepHandler {
  static handlerName = 'OrderFulfilment.StepHandlers.AssessFraudHandler';

  async call(context: StepContext): Promise<StepHandlerResult> {
    const order = context.getDependencyResult<ValidOrder>('validate_order');
    if (order === null) {
      return this.failure('Missing result of validate_order', 'dependency_error', false);
    }
    const large = context.getConfig<number>('large_order_cents') ?? Number.POSITIVE_INFINITY;
    const signals: Array<[name: string, applies: boolean, weight: number]> = [
      ['large_order', order.total_cents >= large, 50],
      ['foreign_delivery', order.ship_to.country !== (order.customer.country ?? order.ship_to.country), 30],
      ['new_customer', order.customer.new === true, 20],
    ];
    const found = signals.filter(([, applies]) => applies);
    return this.success({
      score: found.reduce((sum, [, , weight]) => sum + weight, 0),
      signals: found.map(([name]) => name),
    });
  }
}

const PAYMENT_STEPS: Readonly<Record<string, string>> = { card: 'charge_card', invoice: 'send_invoice' };

export const ChoosePayment = defineDecisionHandler(
  'OrderFulfilment.StepHandlers.ChoosePayment',
  { depends: { order: 'validate_order', fraud: 'assess_fraud' } },
  async ({ order, fraud, context }) => {
    const { score } = fraud as { score: number };
    const { method } = (order as ValidOrder).payment;
    if (score >= (context.getConfig<number>('hold_from_score') ?? Number.POSITIVE_INFINITY)) {
      return Decision.route(['hold_order'], { route: 'hold', score });
    }
    const step = PAYMENT_STEPS[method];
    if (step === undefined) {
      throw new PermanentError(`There is no payment by ${method}`, { method });
    }
    return Decision.route([step], { route: method, score });
  },
);
