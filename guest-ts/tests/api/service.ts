/** A service behind `fetch`, and a handler that gives away what handlers keep to themselves. */

import { vi } from 'vitest';
import { type APICapable, ApiHandler, type StepHandlerResult } from '../../src/index.js';

export interface Sent {
  url: string;
  method: string;
  headers: Record<string, string>;
  body: unknown;
}

/** Answers every request with this; what was sent comes back. Undone when the test ends. */
export function service(
  answer: { status?: number; headers?: Record<string, string>; body?: string | null } = {},
): Sent[] {
  const { status = 200, headers = { 'Content-Type': 'application/json' }, body = '{}' } = answer;
  const sent: Sent[] = [];
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (url, init = {}) => {
    sent.push({
      url: String(url),
      method: init.method as string,
      headers: init.headers as Record<string, string>,
      body: init.body,
    });
    return new Response(body, { status, headers });
  });
  return sent;
}

export class Shop extends ApiHandler {
  static override handlerName = 'Shop.Charge';
  static override baseUrl: string = 'https://api.example/v1';
  static override defaultHeaders: Record<string, string> = { 'X-Api-Key': 'key' };

  async call(): Promise<StepHandlerResult> {
    const response = await this.get('/orders');
    return response.ok ? this.apiSuccess(response) : this.apiFailure(response);
  }

  open(): APICapable {
    return {
      baseUrl: this.baseUrl,
      timeout: this.timeout,
      defaultHeaders: this.defaultHeaders,
      get: (...args) => this.get(...args),
      post: (...args) => this.post(...args),
      put: (...args) => this.put(...args),
      patch: (...args) => this.patch(...args),
      delete: (...args) => this.delete(...args),
      request: (...args) => this.request(...args),
      apiSuccess: (...args) => this.apiSuccess(...args),
      apiFailure: (...args) => this.apiFailure(...args),
      connectionError: (...args) => this.connectionError(...args),
      timeoutError: (...args) => this.timeoutError(...args),
    };
  }
}
