/** Requests to one service: its URL in front, its headers on each, an end to every wait. */

import { ApiResponse } from './response.js';

/** The service, and what goes with every request to it. */
export interface Endpoint {
  /** What every path is put behind, as it is. */
  readonly baseUrl: string;
  /** Milliseconds a request and its answer may take. */
  readonly timeout: number;
  readonly defaultHeaders: Record<string, string>;
}

/** Values of the query by name; what is `null` or undefined is left out. */
export type QueryParams = Record<string, unknown>;

/** What `get` and `delete` take in one object. */
export interface QueryOptions {
  params?: QueryParams;
  headers?: Record<string, string>;
}

/** What `post`, `put` and `patch` send. */
export interface BodyOptions {
  /** Nothing is sent for a falsy one: not for `0`, `''` or `false` either. */
  body?: unknown;
  /** Default true; `false` sends the body's text instead of its JSON. */
  json?: boolean;
  headers?: Record<string, string>;
}

/** @param query the values of the query, or these and headers as options */
export function get(
  endpoint: Endpoint,
  path: string,
  query?: QueryParams | QueryOptions,
  headers?: Record<string, string>,
): Promise<ApiResponse> {
  return withoutBody(endpoint, 'GET', path, isOptions(query) ? query : { params: query }, headers);
}

/** @param headers headers, or these and the values of a query as options */
export function remove(
  endpoint: Endpoint,
  path: string,
  headers?: Record<string, string> | QueryOptions,
): Promise<ApiResponse> {
  return withoutBody(endpoint, 'DELETE', path, isOptions(headers) ? headers : {}, isOptions(headers) ? {} : headers);
}

export function sendBody(
  endpoint: Endpoint,
  method: 'POST' | 'PUT' | 'PATCH',
  path: string,
  { body, json = true, headers }: BodyOptions = {},
): Promise<ApiResponse> {
  const encoded = body ? { body: json ? JSON.stringify(body) : String(body) } : {};
  const type = body && json ? { 'Content-Type': 'application/json' } : {};
  return send(endpoint, urlOf(endpoint, path), {
    method,
    headers: mergeHeaders(type, endpoint.defaultHeaders, headers),
    ...encoded,
  });
}

export function request(
  endpoint: Endpoint,
  method: string,
  path: string,
  options: RequestInit = {},
): Promise<ApiResponse> {
  return send(endpoint, urlOf(endpoint, path), {
    ...options,
    method,
    headers: mergeHeaders(endpoint.defaultHeaders, options.headers),
  });
}

function withoutBody(
  endpoint: Endpoint,
  method: string,
  path: string,
  options: { params?: QueryParams | undefined; headers?: Record<string, string> },
  headers: Record<string, string> = {},
): Promise<ApiResponse> {
  return send(endpoint, urlOf(endpoint, path, options.params), {
    method,
    headers: mergeHeaders(endpoint.defaultHeaders, options.headers, headers),
  });
}

/** Of the two styles of `get` and `delete`, the one with options: nothing but `params` and `headers`, one an object. */
function isOptions(given: QueryParams | QueryOptions | undefined): given is QueryOptions {
  const isObject = (value: unknown) => typeof value === 'object' && value !== null;
  return (
    given !== undefined &&
    given !== null &&
    Object.keys(given).every((key) => key === 'params' || key === 'headers') &&
    (isObject(given.params) || isObject(given.headers))
  );
}

function urlOf({ baseUrl }: Endpoint, path: string, params: QueryParams = {}): string {
  const url = baseUrl + path;
  const values = Object.entries(params ?? {}).filter(([, value]) => value !== null && value !== undefined);
  const query = new URLSearchParams(values.map(([name, value]) => [name, String(value)])).toString();
  return query === '' ? url : `${url}${url.includes('?') ? '&' : '?'}${query}`;
}

/** Later ones win, whatever the case of their names; a plain object, as tests of handlers read it. */
function mergeHeaders(...all: Array<RequestInit['headers']>): Record<string, string> {
  const merged = new Map<string, [name: string, value: string]>();
  for (const headers of all) {
    const isList = headers instanceof Headers || Array.isArray(headers);
    const entries = isList ? (headers as Iterable<[string, string]>) : Object.entries(headers ?? {});
    for (const [name, value] of entries) {
      merged.set(name.toLowerCase(), [name, value]);
    }
  }
  return Object.fromEntries(merged.values());
}

/** @throws DOMException named `AbortError` when the answer takes too long; TypeError when there is none */
async function send({ timeout }: Endpoint, url: string, init: RequestInit): Promise<ApiResponse> {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), timeout);
  const signal = init.signal ? AbortSignal.any([init.signal, patience.signal]) : patience.signal;
  try {
    const response = await fetch(url, { ...init, signal });
    return new ApiResponse(response, bodyOf(response, await response.text()));
  } finally {
    clearTimeout(timer);
  }
}

/** A body is read once: what says it is JSON, and is not, stays text. */
function bodyOf(response: Response, text: string): unknown {
  if (response.headers.get('content-type')?.includes('application/json')) {
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  }
  return text;
}
