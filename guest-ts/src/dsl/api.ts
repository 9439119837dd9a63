import { type APICapable, applyAPI } from '../api/mixin.js';
import type { StepHandler } from '../handler/step-handler.js';
import { type DefinedHandler, defineStep, type HandlerArgs, type HandlerOptions } from './define.js';

/** What a handler made of a function takes and gets, and the service it talks to. */
export interface ApiHandlerOptions extends HandlerOptions {
  /** What every path is put behind, as it is. */
  baseUrl: string;
  /** Milliseconds a request and its answer may take; default 30000. */
  defaultTimeout?: number;
  /** Sent with every request. */
  defaultHeaders?: Record<string, string>;
}

/** What an API handler's function is called with: also the handler's own requests and results. */
export type ApiHandlerArgs = HandlerArgs & { api: APICapable };

/** The handler of a step that calls a service over HTTP, made of a function. */
export function defineApiHandler(
  name: string,
  options: ApiHandlerOptions,
  fn: (args: ApiHandlerArgs) => unknown,
): DefinedHandler {
  const { baseUrl, defaultTimeout = 30_000, defaultHeaders = {} } = options;
  const run = (args: HandlerArgs, handler: StepHandler) =>
    fn(Object.assign(args, { api: handler as unknown as APICapable }));
  const defined = defineStep(name, options, run, ['process'], applyAPI);
  return Object.assign(defined, { baseUrl, defaultTimeout, defaultHeaders });
}
