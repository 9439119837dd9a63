/** The order of a publisher's hooks, and what each form of publisher is given. */

import { createDomainEvent, createStepEventContext } from './factories.js';
import type { BasePublisher } from './publisher.js';
import { asError, type HookValue } from './sync-or-async.js';
import type { DomainEvent, Payload, PublishContext, StepEventContext } from './types.js';

export interface Publication {
  payload: Payload;
  metadata: Payload;
}

/** A part of a publication whose yields are hooks' answers. */
export type Hooks<T> = Generator<unknown, T, HookValue>;

/** All hooks in one go. What `shouldPublish`, `transformPayload` and `additionalMetadata` throw is the caller's. */
export function* publish(publisher: BasePublisher, context: PublishContext): Hooks<boolean> {
  const publication = yield* compose(publisher, context);
  if (publication === null) {
    return false;
  }
  try {
    if (!(yield* letThrough(publisher, context, publication))) {
      return false;
    }
  } catch (error) {
    yield* reportFailure(publisher, context, error, publication.payload);
    return false;
  }
  return yield* reportSuccess(publisher, context, publication);
}

/** The event as far as the publisher wants one; null when it does not. */
export function* compose(publisher: BasePublisher, context: PublishContext): Hooks<Publication | null> {
  const { stepResult, eventDeclaration, stepContext } = context;
  if (!(yield publisher.shouldPublish(stepResult, eventDeclaration, stepContext))) {
    return null;
  }
  const given: Parameters<BasePublisher['transformPayload']> = takesContext(publisher)
    ? [stepContextOf(context)]
    : [stepResult, eventDeclaration, stepContext];
  const payload = yield publisher.transformPayload(...given);
  const about = stepContext && {
    taskUuid: stepContext.taskUuid,
    stepUuid: stepContext.stepUuid,
    stepName: stepContext.stepName,
    namespace: stepContext.namespace,
  };
  const metadata = {
    publisher: nameOf(publisher),
    publishedAt: new Date().toISOString(),
    ...about,
    ...(yield publisher.additionalMetadata(...given)),
  };
  return { payload: payload === undefined ? {} : payload, metadata };
}

export function* letThrough(
  publisher: BasePublisher,
  context: PublishContext,
  { payload, metadata }: Publication,
): Hooks<boolean> {
  const answer = yield takesContext(publisher)
    ? publisher.beforePublish(stepContextOf(context))
    : publisher.beforePublish(context.eventName, payload, metadata);
  return answer !== false;
}

/** @returns false when the publisher's own hook failed, which is reported like an event that did not leave */
export function* reportSuccess(
  publisher: BasePublisher,
  context: PublishContext,
  publication: Publication,
): Hooks<boolean> {
  try {
    yield takesContext(publisher)
      ? publisher.afterPublish(stepContextOf(context), published(context, publication))
      : publisher.afterPublish(context.eventName, publication.payload, publication.metadata);
    return true;
  } catch (error) {
    yield* reportFailure(publisher, context, error, publication.payload);
    return false;
  }
}

export function* reportFailure(
  publisher: BasePublisher,
  context: PublishContext,
  reason: unknown,
  payload: Payload,
): Hooks<void> {
  yield takesContext(publisher)
    ? publisher.onPublishError(stepContextOf(context), asError(reason))
    : publisher.onPublishError(context.eventName, asError(reason), payload);
}

/** The name a template knows the publisher by, wherever it is declared; undefined for a base class. */
export function nameOf(publisher: BasePublisher): string | undefined {
  return publisher.publisherName ?? (publisher.constructor as { publisherName?: string }).publisherName;
}

/** The documented form has `publishesFor`, and hooks that take the context. */
function takesContext(publisher: BasePublisher): boolean {
  return typeof (publisher as { publishesFor?: unknown }).publishesFor === 'function';
}

function stepContextOf({ stepContext, stepResult }: PublishContext): StepEventContext {
  return createStepEventContext({
    taskUuid: '',
    stepUuid: '',
    stepName: '',
    ...stepContext,
    ...(stepResult.result && { result: stepResult.result }),
  });
}

function published(context: PublishContext, { payload, metadata }: Publication): DomainEvent {
  const { eventName, stepContext, stepResult } = context;
  return createDomainEvent({
    eventId: typeof metadata.eventId === 'string' ? metadata.eventId : '',
    eventName,
    payload,
    metadata: { correlationId: stepContext?.correlationId, firedAt: metadata.publishedAt, ...metadata },
    executionResult: stepResult,
  });
}
