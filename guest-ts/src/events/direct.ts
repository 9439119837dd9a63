/**
 * Events that leave at once, whatever becomes of the step: the exception to the rule that templates declare events and
 * the host sends them. Who publishes is found as in the client: the host where the package asks for it
 * (`[grants] events = true`), else nobody.
 */

/** How an event is sent, and what goes with it. */
export interface DirectEventOptions {
  /** Joins the event's metadata. */
  metadata?: Record<string, unknown>;
  /** `durable` (the default): through the namespace's queue; `fast`: to subscribers, at most once; `broadcast`: both. */
  delivery?: 'durable' | 'fast' | 'broadcast';
  /** The same key of the same step is the same event: a step that is tried again says it once. */
  idempotencyKey?: string;
}

/** What `tasker:handler/events` takes; payload and metadata are JSON text. Answers the event's id. */
export type EventRuntime = (event: {
  name: string;
  payload: string;
  metadata: string;
  delivery: 'durable' | 'fast' | 'broadcast';
  idempotencyKey?: string | undefined;
}) => string;

/** An event did not leave. */
export class EventPublishError extends Error {
  /** Whether the same call may succeed later. */
  readonly recoverable: boolean;

  constructor(message: string, recoverable = false) {
    super(message);
    this.name = 'EventPublishError';
    this.recoverable = recoverable;
  }
}

const NOT_GRANTED = 'events capability not granted';

let installed: EventRuntime | null = null;

/** Says who sends events; a component with the grant does it by itself. */
export function setEventRuntime(publish: EventRuntime): void {
  installed = publish;
}

/** Leaves nobody to send events: `publishEvent` throws. */
export function clearEventRuntime(): void {
  installed = null;
}

/**
 * Sends an event now and answers its id.
 *
 * @param name dotted, of `a-z0-9_.`, such as "order.paid"
 * @param payload any JSON value
 * @throws EventPublishError when it did not leave
 */
export function publishEvent(name: string, payload: unknown, options: DirectEventOptions = {}): string {
  if (installed === null) {
    throw new EventPublishError(NOT_GRANTED);
  }
  const { metadata = {}, delivery = 'durable', idempotencyKey } = options;
  const event = { name, payload: JSON.stringify(payload ?? null), metadata: JSON.stringify(metadata) };
  try {
    return installed({ ...event, delivery, idempotencyKey });
  } catch (error) {
    throw publishError(error);
  }
}

/** The bindings throw an Error whose payload is the `err` of the result. */
function publishError(error: unknown): EventPublishError {
  const { message, payload } = error as { message?: string; payload?: { tag?: string; val?: string } };
  if (payload?.tag === 'not-granted') {
    return new EventPublishError(NOT_GRANTED);
  }
  return new EventPublishError(payload?.val ?? String(message ?? error), payload?.tag === 'unavailable');
}
