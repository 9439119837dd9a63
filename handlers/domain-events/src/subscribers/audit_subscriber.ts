import { BaseSubscriber, type DomainEvent, logInfo } from '@tasker-systems/tasker';

/** Keeps a line of every fast event of the namespace. */
export class AuditSubscriber extends BaseSubscriber {
  static subscribesTo(): string[] {
    return ['*'];
  }

  handle(event: DomainEvent): void {
    logInfo('audit', {
      event_name: event.eventName,
      event_id: event.eventId,
      step_name: event.metadata.stepName,
      task_uuid: event.metadata.taskUuid,
      success: event.executionResult.success,
      payload: JSON.stringify(event.businessPayload),
    });
  }
}
