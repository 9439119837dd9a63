import { markAsHelpers } from '../handler/helpers.js';
import { StepHandler } from '../handler/step-handler.js';
import type { StepHandlerResult } from '../types/step-handler-result.js';
import { type ApiStatics, ENDPOINT } from './mixin.js';
import {
  type BodyOptions,
  type Endpoint,
  get,
  type QueryOptions,
  type QueryParams,
  remove,
  request,
  sendBody,
} from './requests.js';
import type { ApiResponse } from './response.js';
import { apiFailure, apiSuccess, connectionError, timeoutError } from './results.js';

/** Base of the handlers of steps that call a service over HTTP. */
export abstract class ApiHandler extends StepHandler {
  /** What every path is put behind, as it is. */
  static baseUrl = '';
  /** Milliseconds a request and its answer may take. */
  static defaultTimeout = 30_000;
  /** Sent with every request. */
  static defaultHeaders: Record<string, string> = {};

  // Properties to the compiler, so that a handler may have fields of these names; getters that read the statics below.
  declare protected baseUrl: string;
  declare protected timeout: number;
  declare protected defaultHeaders: Record<string, string>;

  static {
    markAsHelpers(ApiHandler.prototype);
    for (const [name, of] of Object.entries(ENDPOINT)) {
      Object.defineProperty(ApiHandler.prototype, name, {
        get() {
          return of(this.constructor as ApiStatics);
        },
        // A field of a handler that is compiled to an assignment.
        set(value: unknown) {
          Object.defineProperty(this, name, { value, writable: true, configurable: true, enumerable: true });
        },
        configurable: true,
      });
    }
  }

  override get capabilities(): string[] {
    return ['process', 'http', 'api'];
  }

  /** The query's values and headers one after another, or both as options. */
  protected get(
    path: string,
    query?: QueryParams | QueryOptions,
    headers?: Record<string, string>,
  ): Promise<ApiResponse> {
    return get(this.#endpoint, path, query, headers);
  }

  protected post(path: string, options?: BodyOptions): Promise<ApiResponse> {
    return sendBody(this.#endpoint, 'POST', path, options);
  }

  protected put(path: string, options?: BodyOptions): Promise<ApiResponse> {
    return sendBody(this.#endpoint, 'PUT', path, options);
  }

  protected patch(path: string, options?: BodyOptions): Promise<ApiResponse> {
    return sendBody(this.#endpoint, 'PATCH', path, options);
  }

  /** Headers, or these and the query's values as options. */
  protected delete(path: string, headers?: Record<string, string> | QueryOptions): Promise<ApiResponse> {
    return remove(this.#endpoint, path, headers);
  }

  protected request(method: string, path: string, options?: RequestInit): Promise<ApiResponse> {
    return request(this.#endpoint, method, path, options);
  }

  /** The step's result is `result`, or else the body; status and headers become its metadata. */
  protected apiSuccess(
    response: ApiResponse,
    result?: Record<string, unknown>,
    includeResponse?: boolean,
  ): StepHandlerResult {
    return apiSuccess(response, result, includeResponse);
  }

  /** The status decides the error's type and whether to try again, `Retry-After` when. */
  protected apiFailure(response: ApiResponse, message?: string): StepHandlerResult {
    return apiFailure(response, message);
  }

  /** For a request that got no answer. @param context what the handler was doing: "charging the card" */
  protected connectionError(error: Error, context?: string): StepHandlerResult {
    return connectionError(error, context);
  }

  /** For a request that took too long: `error.name` is `AbortError`. */
  protected timeoutError(error: Error, context?: string): StepHandlerResult {
    return timeoutError(error, context);
  }

  get #endpoint(): Endpoint {
    const { baseUrl, timeout, defaultHeaders } = this;
    return { baseUrl, timeout, defaultHeaders };
  }
}
