import { BaseSubscriber, type InProcessDomainEvent, logInfo, type SubscriberResult } from '@tasker-systems/tasker';

const LIMIT = 10_000;

/** The documented form: a static name, patterns of the instance, a result. It throws at what it cannot book. */
export class LedgerSubscriber extends BaseSubscriber {
  static subscriberName = 'ledger';

  subscribesTo(): string[] {
    return ['payment.processed', 'shipment.*'];
  }

  async beforeHandle(event: InProcessDomainEvent): Promise<boolean> {
    return event.eventName !== 'shipment.cancelled';
  }

  async handle(event: InProcessDomainEvent): Promise<SubscriberResult> {
    const amount = Number(event.payload.amount ?? 0);
    if (amount > LIMIT) {
      throw new RangeError(`${amount} is over the ledger's limit of ${LIMIT}`);
    }
    logInfo('ledger', { event_name: event.eventName, amount });
    return { success: true };
  }

  async onHandleError(event: InProcessDomainEvent, error: Error): Promise<void> {
    logInfo('ledger refused', { event_name: event.eventName, error: error.message });
  }
}
