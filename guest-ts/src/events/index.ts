/** Domain events: what publishers and subscribers are written with. */

export {
  clearEventRuntime,
  type DirectEventOptions,
  EventPublishError,
  type EventRuntime,
  publishEvent,
  setEventRuntime,
} from './direct.js';
export {
  DuplicatePublisherError,
  PublisherNotFoundError,
  PublisherValidationError,
  RegistryFrozenError,
} from './errors.js';
export { createDomainEvent, createFfiPollAdapter, createStepEventContext, ffiEventToDomainEvent } from './factories.js';
export type { EventLogger, EventLogMethod } from './logger.js';
export {
  type DomainEventCallback,
  type DomainEventErrorCallback,
  type DomainEventPollerConfig,
  InProcessDomainEventPoller,
  type PollerStats,
} from './poller.js';
export { BasePublisher, DefaultPublisher } from './publisher.js';
export { PublisherRegistry } from './publisher-registry.js';
export { BaseSubscriber, type SubscriberClass } from './subscriber.js';
export { SubscriberRegistry, type SubscriberStats } from './subscriber-registry.js';
export type {
  DomainEvent,
  DomainEventMetadata,
  EventDeclaration,
  FfiDomainEvent,
  InProcessDomainEvent,
  PublishContext,
  StepEventContext,
  StepResult,
  SubscriberResult,
} from './types.js';
