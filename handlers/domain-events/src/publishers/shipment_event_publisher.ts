import { BasePublisher, type DomainEvent, logInfo, type StepEventContext } from '@tasker-systems/tasker';

/** The documented form: a static name, hooks that take the step's context and may wait for something. */
export class ShipmentEventPublisher extends BasePublisher {
  static publisherName = 'shipment_events';

  publishesFor(): string[] {
    return ['ship_order'];
  }

  async transformPayload(context: StepEventContext): Promise<Record<string, unknown>> {
    return { order_id: context.result?.order_id, carrier: context.result?.carrier, shipped_by: context.stepName };
  }

  async additionalMetadata(context: StepEventContext): Promise<Record<string, unknown>> {
    return { warehouse: `${context.namespace}-1` };
  }

  async beforePublish(context: StepEventContext): Promise<boolean> {
    return context.result?.silent !== true;
  }

  async afterPublish(context: StepEventContext, event: DomainEvent): Promise<void> {
    logInfo('shipment announced', { event_name: event.eventName, step_name: context.stepName });
  }

  async onPublishError(context: StepEventContext, error: Error): Promise<void> {
    logInfo('shipment not announced', { step_name: context.stepName, error: error.message });
  }
}
