/** Makers of the objects that publishers and subscribers see. */

import type {
  DomainEvent,
  DomainEventMetadata,
  FfiDomainEvent,
  Payload,
  StepEventContext,
  StepResult,
} from './types.js';

/** What publishers know of a step; what is not given has a default. */
export function createStepEventContext(data: {
  taskUuid: string;
  stepUuid: string;
  stepName: string;
  namespace?: string;
  correlationId?: string;
  result?: Payload;
  metadata?: Payload;
}): StepEventContext {
  return {
    taskUuid: data.taskUuid,
    stepUuid: data.stepUuid,
    stepName: data.stepName,
    namespace: data.namespace ?? 'default',
    correlationId: data.correlationId ?? data.taskUuid,
    ...(data.result === undefined ? {} : { result: data.result }),
    metadata: data.metadata ?? {},
  };
}

/** An event as subscribers see it. */
export function createDomainEvent(data: {
  eventId: string;
  eventName: string;
  payload: Payload;
  metadata: Payload;
  executionResult: StepResult;
}): DomainEvent {
  return {
    eventId: data.eventId,
    eventName: data.eventName,
    payload: data.payload,
    businessPayload: data.payload,
    metadata: data.metadata as DomainEventMetadata,
    executionResult: data.executionResult,
  };
}

/** @param executionResult what the step gave; where it is not known, a success with the payload */
export function ffiEventToDomainEvent(event: FfiDomainEvent, executionResult?: StepResult): DomainEvent {
  const { stepUuid, stepName, firedBy, ...known } = event.metadata;
  return createDomainEvent({
    eventId: event.eventId,
    eventName: event.eventName,
    payload: event.payload,
    metadata: {
      ...known,
      stepUuid: stepUuid ?? '',
      eventVersion: event.eventVersion,
      ...(stepName == null ? {} : { stepName }),
      ...(firedBy == null ? {} : { publisher: firedBy }),
    },
    executionResult: executionResult ?? { success: true, result: event.payload },
  });
}

/** A poll function for `InProcessDomainEventPoller`, from whatever hands out events one at a time. */
export function createFfiPollAdapter(source: {
  pollInProcessEvents(): FfiDomainEvent | null;
}): () => DomainEvent | null {
  return () => {
    const event = source.pollInProcessEvents();
    return event === null ? null : ffiEventToDomainEvent(event);
  };
}
