import { BasePublisher, type EventDeclaration, type StepEventContext, type StepResult } from '@tasker-systems/tasker';

/** Says what a payment came to, without the fields that concern nobody outside. */
export class PaymentEventPublisher extends BasePublisher {
  readonly publisherName = 'PaymentEventPublisher';

  transformPayload(stepResult: StepResult): Record<string, unknown> {
    const result = stepResult.result ?? {};
    if (!stepResult.success) {
      return { status: 'failed', order_id: stepResult.metadata?.order_id ?? null };
    }
    return { status: 'succeeded', transaction_id: result.transaction_id, amount: result.amount, currency: 'EUR' };
  }

  additionalMetadata(
    stepResult: StepResult,
    declaration?: EventDeclaration,
    stepContext?: StepEventContext,
  ): Record<string, unknown> {
    return {
      priority: Number(stepResult.result?.amount ?? 0) > 1000 ? 'high' : 'normal',
      declared_as: declaration?.deliveryMode,
      caused_by: stepContext?.stepName,
    };
  }

  // Returns nothing: only `false` would keep the event back.
  beforePublish(eventName: string, payload: Record<string, unknown>): void {
    this.logger.debug({ event_name: eventName, status: payload.status }, 'About to publish');
  }
}
