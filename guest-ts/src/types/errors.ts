/** Thrown by a handler for a failure that no retry can mend. */
export class PermanentError extends Error {
  readonly retryable = false;
  readonly metadata: Record<string, unknown>;

  constructor(message: string, metadata: Record<string, unknown> = {}) {
    super(message);
    this.name = 'PermanentError';
    this.metadata = metadata;
  }
}

/** Thrown by a handler for a failure that may pass when tried again. */
export class RetryableError extends Error {
  readonly retryable = true;
  readonly metadata: Record<string, unknown>;

  constructor(message: string, metadata: Record<string, unknown> = {}) {
    super(message);
    this.name = 'RetryableError';
    this.metadata = metadata;
  }
}
