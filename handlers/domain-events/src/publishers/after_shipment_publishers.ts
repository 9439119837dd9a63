import { BasePublisher, type StepResult } from '@tasker-systems/tasker';

/** Cannot do its work without an address: the event then becomes a dead letter, and the step does not notice. */
export class InvoicePublisher extends BasePublisher {
  readonly publisherName = 'InvoicePublisher';

  transformPayload({ result }: StepResult): Record<string, unknown> {
    if (typeof result?.invoice_to !== 'string') {
      throw new TypeError('an invoice needs invoice_to');
    }
    return { order_id: result.order_id, to: result.invoice_to };
  }
}

/** One point for each 10 of the amount: none for less than 10, which the event's schema does not allow. */
export class LoyaltyPublisher extends BasePublisher {
  readonly publisherName = 'LoyaltyPublisher';

  transformPayload({ result }: StepResult): Record<string, unknown> {
    return { points: Math.floor(Number(result?.amount ?? 0) / 10) };
  }
}
