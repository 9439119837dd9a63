/** What the example's publishers make of results, and what its subscribers do with events. */

import {
  type BasePublisher,
  type BaseSubscriber,
  createDomainEvent,
  createStepEventContext,
  type DomainEvent,
  type StepResult,
} from '@tasker-systems/tasker';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  AuditSubscriber,
  InvoicePublisher,
  LedgerSubscriber,
  LoyaltyPublisher,
  PaymentEventPublisher,
  ShipmentEventPublisher,
} from '../src/index.js';

let lines: string[] = [];
beforeEach(() => {
  lines = [];
  vi.spyOn(console, 'log').mockImplementation((line) => lines.push(line));
});
afterEach(() => expect(lines.filter((line) => line.includes('ERROR'))).toEqual([]));

const publish = (publisher: BasePublisher, stepResult: StepResult) =>
  publisher.publish({
    eventName: 'shipment.sent',
    stepResult,
    eventDeclaration: { name: 'shipment.sent', deliveryMode: 'broadcast' },
    stepContext: createStepEventContext({
      taskUuid: 'task',
      stepUuid: 'step',
      stepName: 'ship_order',
      namespace: 'order_events',
    }),
  });

describe('payments', () => {
  const publisher = new PaymentEventPublisher();

  it('are told by what concerns others', () => {
    const result = { order_id: 'o-1', amount: 120, transaction_id: 'txn-o-1', attempt: 2 };
    expect(publisher.transformPayload({ success: true, result })).toEqual({
      status: 'succeeded',
      transaction_id: 'txn-o-1',
      amount: 120,
      currency: 'EUR',
    });
    expect(publisher.transformPayload({ success: false, metadata: { order_id: 'o-1' } })).toEqual({
      status: 'failed',
      order_id: 'o-1',
    });
  });

  it('are published though the last look at them returns nothing, high ones with priority', () => {
    const metadata = vi.spyOn(publisher, 'additionalMetadata');
    expect(publish(publisher, { success: true, result: { amount: 5000 } })).toBe(true);
    expect(metadata).toHaveReturnedWith({ priority: 'high', declared_as: 'broadcast', caused_by: 'ship_order' });
  });
});

describe('shipments', () => {
  it('are announced', async () => {
    const publisher = new ShipmentEventPublisher();
    expect(await publish(publisher, { success: true, result: { order_id: 'o-1', carrier: 'snail' } })).toBe(true);
    expect(lines).toEqual([expect.stringContaining('shipment announced')]);
  });

  it('can be kept back', async () => {
    expect(await publish(new ShipmentEventPublisher(), { success: true, result: { silent: true } })).toBe(false);
    expect(lines).toEqual([]);
  });
});

it('an invoice needs an address', () => {
  const publisher = new InvoicePublisher();
  expect(publisher.transformPayload({ success: true, result: { order_id: 'o-1', invoice_to: 'a' } })).toEqual({
    order_id: 'o-1',
    to: 'a',
  });
  expect(() => publish(publisher, { success: true, result: { invoice_to: null } })).toThrow('invoice_to');
});

it.each([
  [120, 12],
  [19, 1],
  [5, 0],
])('an amount of %i earns %i points', (amount, points) => {
  expect(new LoyaltyPublisher().transformPayload({ success: true, result: { amount } })).toEqual({ points });
});

const paid = (amount: number): DomainEvent =>
  createDomainEvent({
    eventId: 'event',
    eventName: 'payment.processed',
    payload: { amount },
    metadata: { stepName: 'process_payment', taskUuid: 'task' },
    executionResult: { success: true },
  });

describe('the audit', () => {
  it('keeps a line of every event', () => {
    const audit: BaseSubscriber = new AuditSubscriber();
    expect(['order.validated', 'payment.processed', 'anything'].every((name) => audit.matches(name))).toBe(true);
    audit.handle(paid(12));
    expect(lines).toEqual([expect.stringMatching(/audit .*"event_name":"payment.processed".*\\"amount\\":12/)]);
  });
});

describe('the ledger', () => {
  const ledger = new LedgerSubscriber();

  it('books payments and shipments, and nothing else', async () => {
    expect(
      ['payment.processed', 'shipment.sent', 'payment.retried', 'order.validated'].map((name) => ledger.matches(name)),
    ).toEqual([true, true, false, false]);
    expect(await ledger.handle(paid(12))).toEqual({ success: true });
  });

  it('refuses what is over its limit', async () => {
    await expect(ledger.handle(paid(20_000))).rejects.toThrow('over the ledger');
  });
});
