import { isHelper } from '../handler/helpers.js';
import { type ExecutableHandler, StepHandler } from '../handler/step-handler.js';
import type { StepContext } from '../types/step-context.js';
import type { StepHandlerResult } from '../types/step-handler-result.js';
import { MethodDispatchError } from './errors.js';

export type HandlerMethod = (context: StepContext) => Promise<StepHandlerResult>;

/**
 * The entry point of a handler a template may name, or null. What every handler inherits (`constructor`,
 * `configSchema`, `toString`, ...) is not one, nor is what it has from the SDK.
 */
export function handlerMethod(handler: ExecutableHandler, name: string): HandlerMethod | null {
  if (name !== 'call' && name in StepHandler.prototype) {
    return null;
  }
  const method = (handler as unknown as Record<string, unknown>)[name];
  if (typeof method !== 'function' || (name !== 'call' && isHelper(method))) {
    return null;
  }
  return method as HandlerMethod;
}

/** Makes another method of a handler its `call`. */
export class MethodDispatchWrapper implements ExecutableHandler {
  readonly #handler: ExecutableHandler;
  readonly #method: string;
  readonly #invoke: HandlerMethod;

  constructor(handler: ExecutableHandler, method: string) {
    const invoke = handlerMethod(handler, method);
    if (invoke === null) {
      throw new MethodDispatchError(handler.name, method);
    }
    this.#handler = handler;
    this.#method = method;
    this.#invoke = invoke;
  }

  get name(): string {
    return this.#handler.name;
  }

  get version(): string {
    return this.#handler.version;
  }

  get capabilities(): string[] {
    return this.#handler.capabilities;
  }

  configSchema(): Record<string, unknown> | null {
    return this.#handler.configSchema();
  }

  call(context: StepContext): Promise<StepHandlerResult> {
    return this.#invoke.call(this.#handler, context);
  }

  unwrap(): ExecutableHandler {
    return this.#handler;
  }

  toString(): string {
    return `MethodDispatchWrapper(handler=${this.name}, method=${this.#method})`;
  }
}
