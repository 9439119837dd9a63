import { StepContext, type StepHandlerClass, type StepHandlerResult } from '@tasker-systems/tasker';
import { describe, expect, it } from 'vitest';
import {
  AssessFraudHandler,
  ChargeCardHandler,
  ChoosePayment,
  HoldOrderHandler,
  NotifyCustomerHandler,
  ReserveInventoryHandler,
  SendInvoiceHandler,
  SettlePaymentHandler,
  ShipOrderHandler,
  ValidateOrderHandler,
} from '../src/index.js';
import type { Order } from '../src/types.js';

type Data = Record<string, unknown>;

interface Parts {
  input?: Data;
  config?: Data;
  results?: Data;
  attempts?: number;
}

function run(handler: StepHandlerClass, { input = {}, config = {}, results = {}, attempts = 0 }: Parts) {
  const context = StepContext.fromFfiEvent(
    {
      step_uuid: 'step',
      task_sequence_step: {
        task: { context: input },
        workflow_step: { attempts },
        step_definition: { handler: { initialization: config } },
        dependency_results: { results },
      },
    },
    'test',
  );
  return new handler().call(context);
}

const order: Order = {
  order_id: 'O-7',
  customer: { email: 'ada@example.com', country: 'DE' },
  items: [
    { sku: 'MUG', quantity: 2, price_cents: 1250 },
    { sku: 'LAMP', quantity: 1, price_cents: 4900 },
  ],
  payment: { method: 'card', card: '4242424242424242' },
  ship_to: { country: 'DE' },
};
const withOrder = (changes: Partial<Order> = {}, total_cents = 7400) => ({
  validate_order: { result: { ...order, ...changes, total_cents } },
});

describe('the order', () => {
  const validate = (changes: Data) => run(ValidateOrderHandler, { input: { order: { ...order, ...changes } } });

  it('is passed on with its total', async () => {
    expect((await validate({})).result).toEqual({ ...order, total_cents: 7400 });
  });

  it.each<[Data, string]>([
    [{ order_id: '' }, 'order_id is missing'],
    [{ customer: { email: 'ada' } }, 'customer.email is no address'],
    [{ payment: { method: 'card' } }, 'payment.card is missing'],
    [{ items: [] }, 'there are no items'],
    [{ items: [{ sku: 'MUG', quantity: 0, price_cents: 1 }] }, 'MUG has no sound quantity and price'],
  ])('with %j is refused for good', async (changes, problem) => {
    expect(await validate(changes)).toMatchObject({
      errorType: 'validation_error',
      retryable: false,
      metadata: { problems: [problem] },
    });
  });

  it('is refused for good when there is none', async () => {
    expect(await run(ValidateOrderHandler, {})).toMatchObject({ success: false, retryable: false });
  });
});

describe('the reservation', () => {
  const reserve = (stock: Data) => run(ReserveInventoryHandler, { config: { stock }, results: withOrder() });

  it('sets the items aside under one name for all attempts', async () => {
    expect((await reserve({ MUG: 2, LAMP: 1 })).result).toEqual({
      reservation_id: 'RES-step',
      reserved: [
        { sku: 'MUG', quantity: 2 },
        { sku: 'LAMP', quantity: 1 },
      ],
    });
  });

  it('fails for good when there is not enough', async () => {
    expect(await reserve({ MUG: 1 })).toMatchObject({
      errorType: 'out_of_stock',
      retryable: false,
      metadata: { skus: ['MUG', 'LAMP'] },
    });
  });
});

describe('the fraud score', () => {
  it.each<[Partial<Order>, number, number, string[]]>([
    [{}, 7400, 0, []],
    [{}, 100_000, 50, ['large_order']],
    [{ ship_to: { country: 'FR' } }, 7400, 30, ['foreign_delivery']],
    [{ customer: { email: 'a@b', new: true } }, 100_000, 70, ['large_order', 'new_customer']],
  ])('of %j over %i is %i', async (changes, total, score, signals) => {
    const parts = { config: { large_order_cents: 100_000 }, results: withOrder(changes, total) };
    expect((await run(AssessFraudHandler, parts)).result).toEqual({ score, signals });
  });
});

describe('the decision', () => {
  const choose = (score: number, payment: Data) => {
    const results = { ...withOrder({ payment } as Partial<Order>), assess_fraud: { result: { score } } };
    return run(ChoosePayment, { config: { hold_from_score: 80 }, results });
  };

  it.each([
    [79, 'card', ['charge_card'], 'card'],
    [0, 'invoice', ['send_invoice'], 'invoice'],
    [80, 'card', ['hold_order'], 'hold'],
  ])('for the score %i and the method %s is %j', async (score, method, step_names, route) => {
    expect((await choose(score, { method })).result).toEqual({
      decision_point_outcome: { type: 'create_steps', step_names },
      routing_context: { route, score },
    });
  });

  it('cannot be made for another method', async () => {
    expect(await choose(0, { method: 'cash' })).toMatchObject({ errorType: 'permanent_error', retryable: false });
  });
});

describe('the payment', () => {
  const charge = (card: string, attempts = 0) =>
    run(ChargeCardHandler, { results: withOrder({ payment: { method: 'card', card } }), attempts });

  it('charges the card', async () => {
    expect((await charge('4242424242424242')).result).toEqual({
      method: 'card',
      reference: 'CH-step',
      amount_cents: 7400,
      paid: true,
      attempts: 1,
    });
  });

  it('fails for good when the card is declined', async () => {
    expect(await charge('4000000000000002')).toMatchObject({ errorType: 'card_declined', retryable: false });
  });

  it('recovers when the gateway does not answer', async () => {
    await expect(charge('4000000000000119')).rejects.toMatchObject({ retryable: true });
    expect((await charge('4000000000000119', 1)).result).toMatchObject({ reference: 'CH-step', attempts: 2 });
  });

  it('may be an invoice', async () => {
    expect((await run(SendInvoiceHandler, { config: { due_days: 14 }, results: withOrder() })).result).toEqual({
      method: 'invoice',
      reference: 'INV-O-7',
      amount_cents: 7400,
      paid: false,
      due_days: 14,
    });
  });

  it.each(['charge_card', 'send_invoice'])('is settled by %s', async (step) => {
    const payment = { method: 'm', reference: 'R', amount_cents: 1, paid: true };
    const results = { [step]: { result: { ...payment, attempts: 1 } } };
    expect((await run(SettlePaymentHandler, { results })).result).toEqual(payment);
  });

  it('is not settled without one', async () => {
    expect(await run(SettlePaymentHandler, {})).toMatchObject({ errorType: 'dependency_error', retryable: false });
  });
});

describe('the end', () => {
  const reserve_inventory = { result: { reservation_id: 'RES-1' } };
  const config = { carriers: { DE: 'DHL' }, default_carrier: 'UPS' };

  it.each([
    ['DE', 'DHL'],
    ['FR', 'UPS'],
  ])('ships a paid order to %s with %s', async (country, carrier) => {
    const results = { ...withOrder({ ship_to: { country } }), reserve_inventory, settle_payment: { result: {} } };
    expect((await run(ShipOrderHandler, { config, results })).result).toEqual({
      carrier,
      tracking: `${carrier}-O-7`,
      reservation_id: 'RES-1',
    });
  });

  it('ships nothing without a payment', async () => {
    expect(await run(ShipOrderHandler, { config, results: withOrder() })).toMatchObject({ retryable: false });
  });

  it('holds a suspicious order and releases its items', async () => {
    const results = { ...withOrder(), reserve_inventory, assess_fraud: { result: { signals: ['large_order'] } } };
    expect((await run(HoldOrderHandler, { results })).result).toEqual({
      held: true,
      signals: ['large_order'],
      released: 'RES-1',
    });
  });

  const notify = (results: Data): Promise<StepHandlerResult> =>
    run(NotifyCustomerHandler, { results: { ...withOrder(), ...results } });

  it('tells the customer of the delivery, or that there is none yet', async () => {
    expect((await notify({ ship_order: { result: { tracking: 'DHL-O-7' } } })).result).toEqual({
      to: 'ada@example.com',
      status: 'shipped',
      message: 'Your order O-7 is on its way: DHL-O-7',
    });
    expect((await notify({ hold_order: { result: { held: true } } })).result).toMatchObject({
      status: 'held',
      message: 'Your order O-7 needs a second look',
    });
  });
});
