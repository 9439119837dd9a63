/** The shapes that publishers and subscribers see. */

/** A JSON object. */
export type Payload = Record<string, unknown>;

/** What is known about the step whose completion is announced. */
export interface StepEventContext {
  readonly taskUuid: string;
  readonly stepUuid: string;
  readonly stepName: string;
  readonly namespace: string;
  readonly correlationId: string;
  /** What the handler returned. */
  readonly result?: Payload;
  readonly metadata: Payload;
}

/** An entry of a step's `publishes_events`. */
export interface EventDeclaration {
  readonly name: string;
  readonly description?: string;
  readonly condition?: 'success' | 'failure' | 'retryable_failure' | 'permanent_failure' | 'always';
  readonly deliveryMode?: 'durable' | 'fast' | 'broadcast';
  readonly publisher?: string;
  /** JSON Schema of the payload. */
  readonly schema?: Payload;
}

/** What a step came to. */
export interface StepResult {
  readonly success: boolean;
  /** What the handler returned. */
  readonly result?: Payload;
  readonly metadata?: Payload;
}

/** Where an event comes from, and what its publisher added. */
export interface DomainEventMetadata {
  readonly taskUuid: string;
  readonly stepUuid: string;
  readonly stepName?: string;
  readonly namespace: string;
  readonly correlationId: string;
  /** ISO 8601. */
  readonly firedAt: string;
  readonly publisher?: string;
  readonly [key: string]: unknown;
}

/** What a subscriber handles. */
export interface DomainEvent {
  readonly eventId: string;
  readonly eventName: string;
  readonly payload: Payload;
  /** The same as `payload`. */
  readonly businessPayload: Payload;
  readonly metadata: DomainEventMetadata;
  readonly executionResult: StepResult;
}

/** Another name of `DomainEvent`. */
export type InProcessDomainEvent = DomainEvent;

/** What `handle` may return; with `success: false` the delivery counts as failed. */
export interface SubscriberResult {
  readonly success: boolean;
  readonly [key: string]: unknown;
}

/** What `BasePublisher.publish` works on. */
export interface PublishContext {
  readonly eventName: string;
  readonly stepResult: StepResult;
  readonly eventDeclaration?: EventDeclaration;
  readonly stepContext?: StepEventContext;
}

/** An event as the host delivers it. */
export interface FfiDomainEvent {
  readonly eventId: string;
  readonly eventName: string;
  readonly eventVersion: string;
  readonly payload: Payload;
  readonly metadata: {
    readonly taskUuid: string;
    readonly stepUuid: string | null;
    readonly stepName: string | null;
    readonly namespace: string;
    readonly correlationId: string;
    readonly firedAt: string;
    readonly firedBy: string | null;
  };
}

/**
 * What a hook returns. Hooks may be synchronous or not, and the same hook returns different things in the two forms
 * publishers are written in: only `any` lets subclasses of both override it and pass on what `super` returned.
 */
// biome-ignore lint/suspicious/noExplicitAny: see above
export type HookReturn = any;
