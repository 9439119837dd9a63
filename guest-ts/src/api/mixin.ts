import { markAsHelpers } from '../handler/helpers.js';
import type { StepHandlerResult } from '../types/step-handler-result.js';
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

/** What a handler can do that talks to a service. */
export interface APICapable extends Endpoint {
  /** The query's values and headers one after another, or both as options. */
  get(path: string, query?: QueryParams | QueryOptions, headers?: Record<string, string>): Promise<ApiResponse>;
  post(path: string, options?: BodyOptions): Promise<ApiResponse>;
  put(path: string, options?: BodyOptions): Promise<ApiResponse>;
  patch(path: string, options?: BodyOptions): Promise<ApiResponse>;
  /** Headers, or these and the query's values as options. */
  delete(path: string, headers?: Record<string, string> | QueryOptions): Promise<ApiResponse>;
  request(method: string, path: string, options?: RequestInit): Promise<ApiResponse>;

  /** The step's result is `result`, or else the body; status and headers become its metadata. */
  apiSuccess(response: ApiResponse, result?: Record<string, unknown>, includeResponse?: boolean): StepHandlerResult;
  /** The status decides the error's type and whether to try again, `Retry-After` when. */
  apiFailure(response: ApiResponse, message?: string): StepHandlerResult;
  /** For a request that got no answer. @param context what the handler was doing: "charging the card" */
  connectionError(error: Error, context?: string): StepHandlerResult;
  /** For a request that took too long: `error.name` is `AbortError`. */
  timeoutError(error: Error, context?: string): StepHandlerResult;
}

/** The statics of a handler's class that say which service it talks to. */
export interface ApiStatics {
  baseUrl?: string;
  /** Milliseconds. */
  defaultTimeout?: number;
  defaultHeaders?: Record<string, string>;
}

/** What the class says, and what holds where it says nothing. */
export const ENDPOINT: { readonly [K in keyof Endpoint]: (type: ApiStatics) => Endpoint[K] } = {
  baseUrl: (type) => type.baseUrl || '',
  timeout: (type) => type.defaultTimeout || 30_000,
  defaultHeaders: (type) => type.defaultHeaders || {},
};

/** The methods of `APICapable`, for handlers that extend something else: bind them, or use `applyAPI`. */
export class APIMixin implements APICapable {
  static baseUrl = '';
  static defaultTimeout = 30_000;
  static defaultHeaders: Record<string, string> = {};

  static {
    markAsHelpers(APIMixin.prototype);
  }

  get baseUrl(): string {
    return ENDPOINT.baseUrl(this.constructor as ApiStatics);
  }

  get timeout(): number {
    return ENDPOINT.timeout(this.constructor as ApiStatics);
  }

  get defaultHeaders(): Record<string, string> {
    return ENDPOINT.defaultHeaders(this.constructor as ApiStatics);
  }

  get(path: string, query?: QueryParams | QueryOptions, headers?: Record<string, string>): Promise<ApiResponse> {
    return get(this, path, query, headers);
  }

  post(path: string, options?: BodyOptions): Promise<ApiResponse> {
    return sendBody(this, 'POST', path, options);
  }

  put(path: string, options?: BodyOptions): Promise<ApiResponse> {
    return sendBody(this, 'PUT', path, options);
  }

  patch(path: string, options?: BodyOptions): Promise<ApiResponse> {
    return sendBody(this, 'PATCH', path, options);
  }

  delete(path: string, headers?: Record<string, string> | QueryOptions): Promise<ApiResponse> {
    return remove(this, path, headers);
  }

  request(method: string, path: string, options?: RequestInit): Promise<ApiResponse> {
    return request(this, method, path, options);
  }

  apiSuccess(response: ApiResponse, result?: Record<string, unknown>, includeResponse?: boolean): StepHandlerResult {
    return apiSuccess(response, result, includeResponse);
  }

  apiFailure(response: ApiResponse, message?: string): StepHandlerResult {
    return apiFailure(response, message);
  }

  connectionError(error: Error, context?: string): StepHandlerResult {
    return connectionError(error, context);
  }

  timeoutError(error: Error, context?: string): StepHandlerResult {
    return timeoutError(error, context);
  }
}

/** Gives a handler the methods of `APICapable`; the statics of its class, or fields of its own, name the service. */
export function applyAPI<T extends object>(target: T): T & APICapable {
  for (const [name, of] of Object.entries(ENDPOINT)) {
    if (!Object.hasOwn(target, name)) {
      Object.defineProperty(target, name, { get: () => of(target.constructor as ApiStatics), configurable: true });
    }
  }
  const own = target as unknown as APIMixin;
  const { get, post, put, patch, delete: remove, request } = APIMixin.prototype;
  const methods = {
    get: get.bind(own),
    post: post.bind(own),
    put: put.bind(own),
    patch: patch.bind(own),
    delete: remove.bind(own),
    request: request.bind(own),
    apiSuccess,
    apiFailure,
    connectionError,
    timeoutError,
  };
  markAsHelpers(methods);
  return Object.assign(target, methods) as T & APICapable;
}
