/**
 * Publishers say what a declared event carries. A template declares events (`publishes_events`), the host publishes
 * them when the step is done, and asks the publisher that the declaration names.
 *
 * Two forms are written, and both work:
 * - the published worker's: an instance field `publisherName`, hooks that take the step's result and the event's name;
 * - the documented one, told by its method `publishesFor()`: a static `publisherName`, hooks that take the step's
 *   context and may be asynchronous.
 */

import { type EventLogger, eventLogger } from './logger.js';
import { publish } from './publication.js';
import { syncOrAsync } from './sync-or-async.js';
import type {
  DomainEvent,
  EventDeclaration,
  HookReturn,
  Payload,
  PublishContext,
  StepEventContext,
  StepResult,
} from './types.js';

/** Declared beside the class: so a field, a getter and a static field can all give the name. */
export interface BasePublisher {
  /** What templates name as `publisher`. */
  readonly publisherName: string;
}

/** Base of every publisher. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: see the interface
export abstract class BasePublisher {
  protected readonly logger: EventLogger = eventLogger();

  /** What the event carries; by default what the handler returned. */
  transformPayload(
    source: StepResult | StepEventContext,
    _declaration?: EventDeclaration,
    _context?: StepEventContext,
  ): HookReturn {
    return source.result ?? {};
  }

  /** Whether to publish at all; asked after the declaration's own condition. */
  shouldPublish(_result: StepResult, _declaration?: EventDeclaration, _context?: StepEventContext): HookReturn {
    return true;
  }

  /** Joins the event's metadata. */
  additionalMetadata(
    _source: StepResult | StepEventContext,
    _declaration?: EventDeclaration,
    _context?: StepEventContext,
  ): HookReturn {
    return {};
  }

  /** The last look at the event: `false`, and nothing else, keeps it back. */
  beforePublish(_event: string | StepEventContext, _payload?: Payload, _metadata?: Payload): HookReturn {
    return true;
  }

  /** Called when the event has left, in a call of its own: what another hook kept in a field is not there. */
  afterPublish(_event: string | StepEventContext, _payload?: Payload | DomainEvent, _metadata?: Payload): HookReturn {}

  /** Called when the event did not leave. */
  onPublishError(event: string | StepEventContext, error: Error, _payload?: Payload): HookReturn {
    const about = typeof event === 'string' ? { event_name: event } : { step_name: event.stepName };
    this.logger.error({ ...about, error: error.message }, 'The event was not published');
  }

  /**
   * Goes through the hooks as for a publication; at once, unless a hook is asynchronous.
   *
   * @returns whether the event is to be published
   */
  publish(context: PublishContext): boolean | Promise<boolean> {
    return syncOrAsync(publish(this, context));
  }
}

/** Passes on what the handler returned. */
export class DefaultPublisher extends BasePublisher {
  override readonly publisherName: string = 'default';
}
