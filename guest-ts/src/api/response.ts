/** What a service answered, read in full. */

/** Statuses that usually pass: the service is busy, or one behind it is. */
const RETRYABLE: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

/** Seconds to wait when the service says until when, and not how long. */
const WAIT_FOR_A_DATE = 60;

/** What a service answered, and what that means for the step. */
export class ApiResponse {
  readonly statusCode: number;
  /** By their names in lower case. */
  readonly headers: Record<string, string>;
  /** A value where the service says it sent JSON, else the text. */
  readonly body: unknown;
  readonly rawResponse: Response;

  constructor(response: Response, body?: unknown) {
    this.statusCode = response.status;
    this.headers = Object.fromEntries(response.headers.entries());
    this.body = body;
    this.rawResponse = response;
  }

  /** 200 to 299. */
  get ok(): boolean {
    return this.statusCode >= 200 && this.statusCode <= 299;
  }

  /** 400 to 499. */
  get isClientError(): boolean {
    return this.statusCode >= 400 && this.statusCode <= 499;
  }

  /** 500 to 599. */
  get isServerError(): boolean {
    return this.statusCode >= 500 && this.statusCode <= 599;
  }

  /** 408, 429, 500, 502, 503 and 504; not 501, which says that the service will never do this. */
  get isRetryable(): boolean {
    return RETRYABLE.has(this.statusCode);
  }

  /** The `Retry-After` header in seconds, 60 when it is a date; `null` when there is none. */
  get retryAfter(): number | null {
    const header = this.headers['retry-after'];
    if (!header) {
      return null;
    }
    return /^\d+$/.test(header) ? Number(header) : WAIT_FOR_A_DATE;
  }

  toDict(): Record<string, unknown> {
    return { status_code: this.statusCode, headers: this.headers, body: this.body };
  }
}
