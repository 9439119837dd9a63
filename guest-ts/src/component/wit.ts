/** The WIT types of `tasker:handler`, as the component's bindings pass them. */

/** Without the fields that stand in the event too: a component of this SDK does not lift them. */
export interface WitStepContext {
  handler: { callable: string; method?: string | undefined; resolver?: string | undefined };
  attempts: number;
  maxAttempts: number;
  timeBudgetMs: number;
  event: string;
}

export type WitErrorType =
  | { tag: 'permanent-error' }
  | { tag: 'retryable-error' }
  | { tag: 'validation-error' }
  | { tag: 'timeout' }
  | { tag: 'handler-error' }
  | { tag: 'other'; val: string };

export interface WitFailure {
  message: string;
  errorType: WitErrorType;
  errorCode?: string | undefined;
  retryable: boolean;
  metadata: string;
  backtrace: string[];
}

export interface WitCheckpointYield {
  cursor: string;
  itemsProcessed: bigint;
  accumulatedResults?: string | undefined;
}

export type WitStepOutcome =
  | { tag: 'success'; val: { result: string; metadata: string } }
  | { tag: 'failure'; val: WitFailure }
  | { tag: 'checkpoint'; val: WitCheckpointYield };

/** Thrown as it is: the bindings turn a thrown value that is no Error into the `err` of the result. */
export type WitDispatchError =
  | { tag: 'handler-not-found'; val: string }
  | { tag: 'resolver-not-found'; val: string }
  | { tag: 'method-not-found'; val: [handler: string, method: string] }
  | { tag: 'handler-init-failed'; val: string }
  | { tag: 'invalid-context'; val: string };

export interface WitHandlerDescriptor {
  name: string;
  version: string;
  capabilities: string[];
  methods: string[];
  configSchema?: string | undefined;
}

export interface WitComponentInfo {
  sdk: { name: string; version: string; language: string };
  handlers: WitHandlerDescriptor[];
}

/** The exported interface `handlers`. */
export interface WitHandlers {
  describe(): WitComponentInfo;
  handle(context: WitStepContext): Promise<WitStepOutcome>;
}

export interface WitPublisherDescriptor {
  name: string;
  reports: boolean;
}

export interface WitPublishRequest {
  publisher: string;
  /** A JSON object, the declaration, the step's result and context. */
  context: string;
}

export interface WitPublication {
  payload: string;
  metadata: string;
}

export type WitPublishDecision = { tag: 'publish'; val: WitPublication } | { tag: 'skip' };

/** The exported interface `publishers`. */
export interface WitPublishers {
  listPublishers(): WitPublisherDescriptor[];
  /** @throws string why there is no event */
  prepare(request: WitPublishRequest): Promise<WitPublishDecision>;
  published(request: WitPublishRequest, publication: WitPublication, failure: string | undefined): Promise<void>;
}

export interface WitSubscription {
  subscriber: string;
  patterns: string[];
}

/** The exported interface `subscribers`. */
export interface WitSubscribers {
  listSubscriptions(): WitSubscription[];
  /** @throws string why the event was not handled */
  onEvent(subscriber: string, event: string): Promise<void>;
}
