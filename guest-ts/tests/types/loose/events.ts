/** Publishers and subscribers in both of their forms. */

import {
  BasePublisher,
  BaseSubscriber,
  type DomainEvent,
  type EventDeclaration,
  type InProcessDomainEvent,
  PublisherRegistry,
  type StepEventContext,
  type StepResult,
  SubscriberRegistry,
  type SubscriberResult,
} from '@tasker-systems/tasker';

export class PaymentPublisher extends BasePublisher {
  readonly publisherName = 'PaymentPublisher';

  transformPayload(result: StepResult, _declaration?: EventDeclaration, context?: StepEventContext) {
    return { id: result.result?.id, step: context?.stepName };
  }
  shouldPublish(result: StepResult): boolean {
    return result.success;
  }
  additionalMetadata() {
    return { kind: 'payment' };
  }
  beforePublish(eventName: string, payload: Record<string, unknown>): boolean {
    this.logger.info({ eventName, payload }, 'publishing');
    return true;
  }
  afterPublish(eventName: string): void {
    this.logger.debug(eventName);
  }
  onPublishError(eventName: string, error: Error): void {
    this.logger.error({ eventName, error: error.message }, 'not published');
  }
}

export class DocumentedPublisher extends BasePublisher {
  static publisherName = 'documented';

  publishesFor(): string[] {
    return ['charge'];
  }
  async transformPayload(context: StepEventContext) {
    return { step: context.stepName };
  }
  async additionalMetadata(context: StepEventContext) {
    return { namespace: context.namespace };
  }
  async beforePublish(_context: StepEventContext): Promise<void> {}
  async afterPublish(_context: StepEventContext, event: DomainEvent): Promise<void> {
    this.logger.info({ id: event.eventId }, 'published');
  }
}

export class Audit extends BaseSubscriber {
  static subscribesTo() {
    return ['payment.*'];
  }
  async handle(event: DomainEvent): Promise<void> {
    this.logger.info({ name: event.eventName, payload: event.businessPayload }, 'seen');
  }
  beforeHandle(event: DomainEvent): boolean {
    return event.eventName !== '';
  }
}

export class Ledger extends BaseSubscriber {
  static subscriberName = 'ledger';
  subscribesTo() {
    return ['*'];
  }
  async handle(_event: InProcessDomainEvent): Promise<SubscriberResult> {
    return { success: true };
  }
}

PublisherRegistry.getInstance().register(new PaymentPublisher());
PublisherRegistry.instance.register(DocumentedPublisher);
SubscriberRegistry.getInstance().register(Audit);
SubscriberRegistry.instance.registerInstance(new Ledger());
